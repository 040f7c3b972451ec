from importlib.metadata import version

import pytest

from worker.plugins import installed_plugins


def test_a_plugin_is_told_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.plugins.plugins", lambda: ["pydantic", "of-no-package"])

    assert installed_plugins() == {"pydantic": version("pydantic"), "of-no-package": "unknown"}
