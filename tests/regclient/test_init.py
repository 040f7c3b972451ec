import pkgutil
import re
import subprocess
import sys

import pytest

import regclient


@pytest.mark.parametrize("name", regclient.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(regclient, name).__module__.startswith("regclient.")


def test_dir_lists_the_public_names() -> None:
    assert sorted(dir(regclient)) == sorted(regclient.__all__)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        regclient.no_such_name  # noqa: B018  # looking is the test


def test_the_package_alone_imports_nothing_of_weight() -> None:
    code = "import sys, regclient; print([name for name in ('httpx2', 'rich', 'pydantic') if name in sys.modules])"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_package_s_docstring_says_where_each_module_has_its_place() -> None:
    modules = {module.name for module in pkgutil.iter_modules(regclient.__path__)} - {"__main__"}

    assert modules <= set(re.findall(r"`(\w+)`", regclient.__doc__ or ""))
