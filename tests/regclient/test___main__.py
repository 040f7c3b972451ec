from typing import Any


def test_python_m_regclient_is_the_command(regcore: Any) -> None:
    done = regcore("--help")

    assert done.returncode == 0
    assert "regcore up" in done.stdout
    assert done.stderr == ""
