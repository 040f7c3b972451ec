import subprocess
import sys

import pytest

from regcore.spec.kinds import LAYERS, MODELS, OPTIMIZERS, REGULARIZERS, TASKS


@pytest.mark.parametrize("registry", [LAYERS, MODELS, OPTIMIZERS, REGULARIZERS, TASKS], ids=lambda r: next(iter(r)))
def test_a_registry_is_by_kind_in_alphabetical_order(registry):
    assert list(registry) == sorted(registry)
    for kind, one in registry.items():
        fields = getattr(one, "model_fields", None)
        assert (one.kind if fields is None else fields["kind"].default) == kind


def test_all_kinds_are_known_without_torch():
    code = "import sys; import regcore.spec.kinds; raise SystemExit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
