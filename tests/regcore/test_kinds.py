"""Kinds are found: in regcore's folders, and in installed packages. The packages here are folders on the path."""

import json
import subprocess
import sys

import pytest
from plugins import install_plugin

from regcore.kinds import PluginError, kinds_of, plugin_of, plugins_among
from regcore.layers import Layer
from regcore.spec.kinds import LAYERS

PLUGIN = """
from typing import Any, ClassVar, Literal

from regcore.layers import Layer
from regcore.regularizers.base import WeightRegularizer


class Doubled(Layer):
    summary: ClassVar[str] = "Doubles."
    formula: ClassVar[str] = "2x"
    source: ClassVar[str] = "2026"
    example: ClassVar[dict[str, Any]] = {}
    member_fields: ClassVar[frozenset[str] | None] = frozenset()

    kind: Literal["doubled"] = "doubled"

    def module(self, seen):
        from torch import nn

        class Twice(nn.Module):
            def forward(self, x):
                return 2 * x

        return Twice()
"""

TRAIN = """
import json, sys
from regcore import make_plan, train
from regcore.kinds import plugins
layers = [{"kind": "flatten"}, {"kind": "doubled"}, {"kind": "linear"}]
spec = {"data": {"kind": "builtin", "name": "wine"}, "model": {"kind": "layers", "layers": layers},
        "training": {"epochs": 1}}
plan = make_plan(spec)
names = list(train(spec).model.state_dict())
print(json.dumps([plugins(), plan.plugins, names, plan.layer_names]))
"""


def run(folder, code):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{folder}:.", "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_layer_of_an_installed_package_is_planned_trained_and_named(tmp_path):
    install_plugin(tmp_path, PLUGIN)

    done = run(tmp_path, TRAIN)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        ["acme-regcore"],
        ["acme-regcore"],
        ["head.weight", "head.bias"],
        ["flatten1", "doubled1", "head"],
    ]


def test_a_package_that_cannot_be_imported_is_named(tmp_path):
    install_plugin(tmp_path, "import a_module_that_is_not_there")

    done = run(tmp_path, "import regcore.spec")

    assert done.returncode == 1
    assert "the plugin 'acme_layers' of acme-regcore cannot be imported" in done.stderr


def test_two_kinds_of_one_name_are_refused():
    class Base:
        pass

    one = type("One", (Base,), {"kind": "same"})
    other = type("Other", (Base,), {"kind": "same"})

    with pytest.raises(PluginError, match="two kinds of base are called 'same'"):
        kinds_of(Base)
    assert one is not other


def test_regcores_own_kinds_are_of_no_plugin():
    assert plugin_of(LAYERS["linear"]) is None
    assert plugins_among([LAYERS["flatten"]()]) == []
    assert kinds_of(Layer) == LAYERS
