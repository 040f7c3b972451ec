"""What a pass saves and goes on from: which members a checkpoint holds, and whether it is of this run."""

from collections.abc import Callable, Mapping, Sequence

from regcore.checkpoint import State, tensor_bytes
from regcore.data.prepared import PreparedData
from regcore.errors import CheckpointError
from regcore.loop.checkpointer import Checkpointer
from regcore.loop.control import Control
from regcore.loop.identity import continue_as, identify
from regcore.loop.network import StackedNetwork
from regcore.loop.newcomer import Checkpoints, Newcomer
from regcore.record import Record
from regcore.trees import select


def saved_state(state: State, positions: Sequence[int]) -> State:
    """The state of some members of a saved pass, as if it had been theirs alone.

    Only their parts are read from disk: the pass may have been split because it needed too much memory.
    """
    if len(positions) == len(state["keys"]):
        return state
    per_member = {name: [state[name][k] for k in positions] for name in ("keys", "history", "selected_epochs")}
    return {**state, **per_member, "tree": select(state["tree"], positions)}


def check_members(keys: Sequence[str], saved_keys: Sequence[str]) -> None:
    """Raises CheckpointError if one of the members is not among the saved ones."""
    missing = [key for key in keys if key not in saved_keys]
    if missing:
        raise CheckpointError(
            f"the checkpoint is of other members: {', '.join(missing)} not among {', '.join(saved_keys) or 'them'}",
            remedy="Resume with the members that it was begun with, or from an empty directory.",
        )


def checkpointer_of(
    newcomers: Sequence[Newcomer],
    network: StackedNetwork,
    data: PreparedData,
    checkpoints: Checkpoints,
    control: Control,
    on_record: Callable[[Record], None],
    begun_with: Mapping[str, str],
) -> Checkpointer:
    """Raises CheckpointError if the checkpoint belongs to another run.

    Args:
        newcomers: The members.
        network: Their tensors.
        data: Their rows.
        checkpoints: Where they are saved.
        control: Says which checkpoint has been accepted.
        on_record: Called with what is saved.
        begun_with: For each member that begins with what its spec does not hold, such as a file of weights, a digest.
    """
    for damaged in checkpoints.newest.unreadable:
        message = f"A checkpoint cannot be read and is passed over: {damaged}."
        for newcomer in newcomers:
            newcomer.on_record(Record("warning", {"code": "checkpoint_unreadable", "message": message}))
    specs = {newcomer.key: newcomer.plan.resolved_spec for newcomer in newcomers}
    identity = identify(specs, data, network.device, begun_with)
    if checkpoints.newest.state is not None:
        saved = checkpoints.newest.state["identity"]
        # Members that had ended before the checkpoint need not be present.
        specs_then = {key: saved["specs"][key] for key in checkpoints.saved_keys or ()}
        identity = continue_as(saved | {"specs": specs_then}, identity)
    return Checkpointer(
        checkpoints.root,
        identity,
        every_s=min(spec.training.checkpoint_every_s for spec in specs.values()),
        expected_bytes=3 * tensor_bytes(network.tensors),  # also a momentum and the selected weights
        max_bytes=None if checkpoints.max_bytes is None else checkpoints.max_bytes * len(newcomers),
        on_record=on_record,
        accepted_step=control.accepted_step,
    )
