import pytest

from regcore.doubts import RunShape
from regcore.spec.kinds import LAYERS, OPTIMIZERS, REGULARIZERS


def test_a_run_has_its_steps_epoch_by_epoch():
    assert RunShape(num_epochs=7, steps_per_epoch=3, num_evaluations=7, num_validation_rows=0).num_steps == 21


@pytest.mark.parametrize("part", [*OPTIMIZERS.values(), *REGULARIZERS.values(), *LAYERS.values()])
def test_no_part_doubts_its_own_example_in_an_ample_run(part):
    spec = part.model_validate(getattr(part, "example", {"kind": part.model_fields["kind"].default}))

    doubts = list(spec.doubts(RunShape(100, 30, 100, 200)))

    assert doubts == []
