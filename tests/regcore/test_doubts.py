import pytest

from regcore.doubts import RunShape
from regcore.spec.kinds import LAYERS, OPTIMIZERS, REGULARIZERS


def test_a_run_has_its_steps_epoch_by_epoch():
    assert RunShape(num_epochs=7, steps_per_epoch=3, num_evaluations=7, num_validation_rows=0).num_steps == 21


def own_example(part):
    """Its JSON in its example, which of a layer is a whole model; None if that does without it."""
    kind = part.model_fields["kind"].default

    def search(node):
        if isinstance(node, dict):
            return node if node.get("kind") == kind else search(list(node.values()))
        return next(filter(None, map(search, node)), None) if isinstance(node, list) else None

    return search(getattr(part, "example", {"kind": kind}))


PARTS = [*OPTIMIZERS.values(), *REGULARIZERS.values(), *LAYERS.values()]


@pytest.mark.parametrize("part", [part for part in PARTS if own_example(part)])
def test_no_part_doubts_its_own_example_in_an_ample_run(part):
    spec = part.model_validate(own_example(part))

    doubts = list(spec.doubts(RunShape(100, 30, 100, 200)))

    assert doubts == []
