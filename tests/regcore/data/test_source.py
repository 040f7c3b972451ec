import torch

from regcore.data.source import KnownSource, Sources
from regcore.plan import make_plan
from regcore.spec import parse_spec

WINE = parse_spec({"data": {"kind": "builtin", "name": "wine"}, "model": {"kind": "linear"}})


def test_a_built_in_set_is_planned_for_and_read_from_the_same_source():
    source = Sources().of(WINE.data)

    plan = make_plan(WINE, facts_of=source.facts)
    prepared = source.prepare(plan.resolved_spec)

    assert isinstance(source, KnownSource)
    assert tuple(prepared.train.x.shape) == (plan.num_rows.train, *plan.input_shape)
    assert prepared.train.x.dtype == torch.float32
