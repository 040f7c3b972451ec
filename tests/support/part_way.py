"""Trainers stopped in the middle of an epoch, and what they remember there."""

from regcore.artifacts import weights_sha256


def train_steps(trainer, num_steps):
    """Train from the beginning to the middle of an epoch, with the evaluations on the way."""
    steps_per_epoch = trainer.members[0].plan.steps_per_epoch
    for step in range(num_steps):
        trainer.stack.advance(trainer.stack.rows(*divmod(step, steps_per_epoch)))
        if (step + 1) % steps_per_epoch == 0:
            list(trainer._evaluate((step + 1) // steps_per_epoch, {}, is_due=True))
    return trainer


def hashes_of(trainer):
    """The hash of each member's finished weights, once the trainer has gone to its end."""
    return {
        member.key: weights_sha256(ending.network.member_state(k))
        for ending in trainer.run()
        for k, member in enumerate(ending.members)
    }


def leaves_of(tree, path=""):
    """Every tensor of a tree with its path."""
    for name, node in tree.items():
        if isinstance(node, dict):
            yield from leaves_of(node, f"{path}{name}/")
        else:
            yield f"{path}{name}", node
