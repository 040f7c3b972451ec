import subprocess
import sys

import pytest

import regcore.study.statistics

HEAVY = ("torch", "scipy.stats", "sklearn", "pandas")


@pytest.mark.parametrize(
    ("code", "left_out"),
    [
        ("from regcore.study.statistics import compare", (*HEAVY, "scipy.special")),
        ("from regcore.study.statistics import mean_interval; mean_interval([1.0, 2.0])", HEAVY),
    ],
)
def test_a_server_can_afford_to_import_it(code, left_out):
    look = f"{code}; import sys; print([name for name in {left_out!r} if name in sys.modules])"

    ran = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout.strip()) == (0, "[]"), ran.stdout + ran.stderr


def test_every_public_name_is_there():
    assert all(hasattr(regcore.study.statistics, name) for name in regcore.study.statistics.__all__)
