import errno

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from regcore import train, train_many
from regcore.errors import ComputationError, DivergedError, OutOfMemoryError
from regcore.loop import conclude, run
from regcore.loop.computing import computing
from regcore.regularizers.l2 import L2

AT_FAULT = 0.125


@pytest.mark.parametrize(
    "error",
    [OverflowError("too large"), FloatingPointError(), ValueError("float"), np.linalg.LinAlgError("singular")],
)
def test_whatever_a_computation_raises_says_what_failed_and_how(error):
    with (
        pytest.raises(ComputationError, match=f"step 7 failed with {type(error).__name__}") as caught,
        computing("step 7"),
    ):
        raise error

    assert caught.value.reason()["code"] == "internal_error"
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        OSError("No space left on device"),
        DivergedError("the loss is no number"),
        OutOfMemoryError("memory ran out"),
        KeyboardInterrupt(),
    ],
)
def test_what_is_no_fault_of_the_computation_is_raised_as_it_is(error):
    with pytest.raises(type(error)) as caught, computing("step 7"):
        raise error

    assert caught.value is error


def test_a_full_disk_of_which_a_library_has_its_own_words_is_told_as_python_does():
    error = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with pytest.raises(OSError, match="No space left") as caught, computing("writing the artifacts"):
        raise error

    assert (caught.value.errno, caught.value.__cause__) == (errno.ENOSPC, error)


@pytest.fixture
def jobs(make_job, monkeypatch):
    """Three that train in one pass."""
    monkeypatch.setattr(run, "fitting_size", lambda plan, num_members, source: num_members)
    strengths = [0.01, AT_FAULT, 0.02]
    return [
        make_job(regularizers=[{"kind": "l2", "strength": s}], training={"seed": k}) for k, s in enumerate(strengths)
    ]


def fail_in_a_step(monkeypatch):
    bind = L2.bind.__func__

    def failing(cls, members, setting):
        effect = bind(cls, members, setting)

        class Failing(type(effect)):
            def after_step(self, tensors, update, at):
                if at.step == 5 and any(member.strength == AT_FAULT for member in members):
                    raise OverflowError("Result too large")

        return Failing(members, setting)

    monkeypatch.setattr(L2, "bind", classmethod(failing))


def fail_in_an_evaluation(monkeypatch):
    bind = L2.bind.__func__

    def failing(cls, members, touched):
        effect = bind(cls, members, touched)
        if any(member.strength == AT_FAULT for member in members):
            effect.penalty = lambda weights, moment: 1 / 0
        return effect

    monkeypatch.setattr(L2, "bind", classmethod(failing))


def fail_in_the_report(monkeypatch):
    real = conclude.make_report

    def failing(*, regularizers, **parts):
        if 0.124 < regularizers[0].penalty / np.linalg.norm(flat(parts["parameters"])) ** 2 * 2 < 0.126:
            raise np.linalg.LinAlgError("Singular matrix")
        return real(regularizers=regularizers, **parts)

    monkeypatch.setattr(conclude, "make_report", failing)


def flat(parameters):
    return torch.cat([value.flatten() for value in parameters.values() if value.ndim > 1]).double().numpy()


def fail_for_all_together(monkeypatch):
    real = conclude.optimality

    def failing(plans, *rest):
        if any(plan.resolved_spec.regularizers[0].strength == AT_FAULT for plan in plans):
            raise FloatingPointError("underflow")
        return real(plans, *rest)

    monkeypatch.setattr(conclude, "optimality", failing)


@pytest.mark.parametrize("fail", [fail_in_a_step, fail_in_an_evaluation, fail_in_the_report, fail_for_all_together])
def test_what_fails_for_one_ends_it_as_it_would_alone_and_costs_nobody_else(jobs, monkeypatch, fail):
    sound = {k: train(jobs[k]) for k in (0, 2)}
    fail(monkeypatch)
    with pytest.raises(ComputationError) as alone:
        train(jobs[1])

    outcomes = train_many(jobs)

    assert isinstance(outcomes[1], ComputationError)
    assert outcomes[1].reason() == alone.value.reason()
    for k, expected in sound.items():
        assert outcomes[k].metrics == pytest.approx(expected.metrics, rel=1e-5)


def test_what_cannot_be_timed_trains_alone(make_job, monkeypatch):
    fail_in_a_step(monkeypatch)
    job = make_job(regularizers=[{"kind": "l2", "strength": AT_FAULT}], training={"seed": 1})

    outcomes = train_many([job, job | {"fusion": "auto"}])

    assert [type(outcome) for outcome in outcomes] == [ComputationError, ComputationError]


def test_what_a_listener_raises_is_its_own(jobs):
    def listen(place, record):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train_many(jobs, on_record=listen)
