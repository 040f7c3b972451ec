import subprocess
import sys

import pytest

import regcore


@pytest.mark.parametrize("name", regcore.__all__)
def test_every_public_name_is_there(name):
    assert getattr(regcore, name).__module__.startswith("regcore.")


def test_dir_lists_the_public_names():
    assert sorted(dir(regcore)) == sorted(regcore.__all__)


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        regcore.no_such_name  # noqa: B018  # looking is the test


def test_a_spec_can_be_planned_without_torch_or_numpy():
    code = """
import sys
import regcore
regcore.make_plan(regcore.parse_spec({"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}))
import regcore.record, regcore.errors
print([name for name in ("torch", "numpy", "sklearn", "scipy") if name in sys.modules])
"""

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
