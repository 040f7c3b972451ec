"""The regularizers of a pass at work: each one's effect for all members."""

from collections.abc import Mapping, Sequence

from torch import nn

from regcore.data.encoded import Preprocessing
from regcore.loop.network import StackedNetwork
from regcore.plan import Plan
from regcore.regularizers import Effect, Setting
from regcore.tasks import Task

Inputs = Sequence[Mapping[str, Mapping[str, nn.Module]]]
"""For each member, by the regularizer's name in the plan, the models that it needs, by what it calls them."""


def bind_effects(
    plans: Sequence[Plan],
    network: StackedNetwork,
    task: Task,
    inputs: Inputs | None = (),
    preprocessing: Preprocessing | None = None,
) -> dict[str, Effect]:
    """Each regularizer's effect for all members, by the regularizer's name in the plan."""
    effects: dict[str, Effect] = {}
    layers = plans[0].layer_kinds()
    for position, planned in enumerate(plans[0].regularizers):
        members = [plan.resolved_spec.regularizers[position] for plan in plans]
        if inputs is None and (members[0].inputs() or members[0].trained_first()):
            continue
        setting = Setting(
            name=planned.name,
            touched=planned.parameters,
            tensors=network.infos,
            layers=layers,
            task=task,
            dtype=network.dtype,
            device=network.device,
            inputs=[own.get(planned.name, {}) for own in inputs or ()],
            preprocessing=preprocessing,
        )
        effect = type(members[0]).bind(members, setting)
        if effect is not None:
            effects[planned.name] = effect
    return effects
