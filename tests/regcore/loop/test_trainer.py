import copy
import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from regcore import make_plan, train
from regcore.checkpoint import load_newest, save_checkpoint
from regcore.data.prepare_known import prepare
from regcore.data.prepared import Split
from regcore.errors import DivergedError, TrainingHalved, TrainingStopped
from regcore.loop import checkpointer
from regcore.loop.control import Control, Rungs
from regcore.loop.group import Newcomer, train_group
from regcore.spec import parse_spec

DOUBLE = {"precision": "float64"}
DECAY = {"kind": "weight_decay", "strength": 0.01}


@pytest.fixture(autouse=True)
def _one_thread():
    """As `train` has it for small networks: on a busy machine, threads wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def member(seed, strength, kind="l2", *, optimizer="sgd", **numbers):
    return {
        "training": DOUBLE | {"seed": seed},
        "optimizer": {"kind": optimizer} | numbers,
        "regularizers": [{"kind": kind, "strength": strength}, {"kind": "dropout", "p": 0.1 + strength}],
    }


PAIRS = {
    "l2": (member(1, 0.001, learning_rate=0.05), member(2, 0.1, learning_rate=0.2)),
    "l1": (member(1, 0.001, "l1", learning_rate=0.05), member(2, 0.01, "l1", learning_rate=0.2, momentum=0.5)),
    "weight_decay": (
        member(1, 0.001, "weight_decay", learning_rate=0.05),
        member(2, 0.1, "weight_decay", learning_rate=0.2),
    ),
    "adam": (
        member(1, 0.001, "l1", optimizer="adam", learning_rate=0.01),
        member(2, 0.01, "l1", optimizer="adam", learning_rate=0.002),
    ),
}


def plain_torch(job, num_epochs):
    """The same network and data in a full-batch loop written with torch.nn and torch.optim alone."""
    data = prepare(parse_spec(job))
    start = train(
        job | {"training": job["training"] | {"epochs": 1}, "optimizer": {"kind": "sgd", "learning_rate": 1e-30}}
    )
    model = copy.deepcopy(start.model).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    for _ in range(num_epochs):
        optimizer.zero_grad()
        functional.cross_entropy(model(data.train.x), data.train.y).backward()
        optimizer.step()
    return model.eval()


def test_a_full_batch_run_is_the_run_of_a_plain_torch_loop(make_job, train_members):
    job = make_job(optimizer={"learning_rate": 0.5}, training=DOUBLE | {"epochs": 15, "batch_size": "full"})

    (trained,) = train_members(job)

    expected = plain_torch(job, 15).state_dict()
    torch.testing.assert_close(trained.state, dict(expected), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("grad_accumulation", [2, 4])
def test_accumulated_batches_equal_one_big_batch(make_job, train_members, grad_accumulation):
    split = make_job(training=DOUBLE | {"batch_size": 8, "grad_accumulation": grad_accumulation})
    whole = make_job(training=DOUBLE | {"batch_size": 8 * grad_accumulation})

    (first,), (second,) = train_members(split), train_members(whole)

    torch.testing.assert_close(first.state, second.state, rtol=1e-9, atol=1e-9)
    assert first.history[-1]["values"] == pytest.approx(second.history[-1]["values"], rel=1e-9, abs=1e-12)


def test_the_objective_is_the_mean_data_loss_and_each_penalty_by_its_name(make_job, train_members):
    regularizers = [{"kind": "l1", "strength": 1e-3}, {"kind": "l2", "strength": 1e-2}, DECAY]

    (trained,) = train_members(make_job(regularizers=regularizers, training=DOUBLE))

    values = trained.history[-1]["values"]
    state = trained.state
    weights = torch.cat([weight.flatten() for name, weight in state.items() if name.endswith("weight")])
    l1, l2 = 1e-3 * weights.abs().sum().item(), 0.5e-2 * weights.square().sum().item()
    assert values["objective/penalty.l1"] == pytest.approx(l1)
    assert values["objective/penalty.l2"] == pytest.approx(l2)
    assert values["objective/total"] == pytest.approx(values["objective/data"] + l1 + l2)
    assert "objective/penalty.weight_decay" not in values


def test_the_data_objective_without_moving_is_the_train_loss(make_job, train_members):
    (trained,) = train_members(make_job(optimizer={"learning_rate": 1e-30}, training=DOUBLE | {"batch_size": 7}))

    values = trained.history[-1]["values"]
    assert values["objective/data"] == pytest.approx(values["train/loss"])


def test_recorded_metrics_are_those_of_the_plain_model(make_job, train_members):
    job = make_job(training=DOUBLE, regularizers=[{"kind": "dropout", "p": 0.5}])
    (trained,) = train_members(job)

    model = train(job).model
    values = trained.history[-1]["values"]
    for name in ("train", "validation", "test"):
        split = getattr(trained.data, name)
        assert values[f"{name}/loss"] == pytest.approx(nn.CrossEntropyLoss()(model(split.x), split.y).item())
    assert values["generalization_gap"] == pytest.approx(values["test/loss"] - values["train/loss"])


def test_sparsity_counts_zeros_of_weights_alone(make_job, train_members):
    (trained,) = train_members(make_job(regularizers=[{"kind": "l1", "strength": 0.05}], training={"epochs": 5}))

    values = trained.history[-1]["values"]
    weights = [w for name, w in trained.state.items() if name.endswith("weight")]
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    assert zeros > 0
    assert values["num_zeros"] == zeros
    assert values["sparsity"] == pytest.approx(zeros / sum(weight.numel() for weight in weights))


@pytest.mark.parametrize(("every", "epochs"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (9, [5])])
def test_evaluations_come_every_so_many_epochs_and_after_the_last(make_job, every, epochs):
    result = train(make_job(training={"epochs": 5, "eval_every_epochs": every}))

    assert [row["epoch"] for row in result.history] == epochs
    assert [row["seq"] for row in result.history] == list(range(1, len(epochs) + 1))
    assert [row["step"] for row in result.history] == [epoch * 4 for epoch in epochs]


OVERFITTING = {
    "optimizer": {"learning_rate": 1.5, "momentum": 0.0},
    "training": {"epochs": 30, "batch_size": 10},
}


@pytest.mark.parametrize("metric", ["validation/loss", "validation/accuracy"])
@pytest.mark.parametrize("patience", [2, 1000])
def test_early_stopping_keeps_the_best_evaluation_whether_it_stops_or_not(make_job, metric, patience):
    stopping = {"kind": "early_stopping", "metric": metric, "patience": patience}

    result = train(make_job(**OVERFITTING, regularizers=[stopping]))

    seen = [row["values"][metric] for row in result.history]
    best = min(seen) if metric.endswith("loss") else max(seen)
    assert result.selected_epoch == seen.index(best) + 1
    assert result.metrics[metric] == pytest.approx(best, rel=1e-6)
    assert result.selected_epoch < len(seen)
    assert (len(seen) == 30) == (patience == 1000)


def test_without_selection_the_last_epoch_is_kept(make_job):
    result = train(make_job(**OVERFITTING))

    assert result.selected_epoch == 30
    assert result.metrics["test/loss"] == pytest.approx(result.history[-1]["values"]["test/loss"], rel=1e-6)


def test_a_learning_rate_that_is_recorded_follows_its_schedule(make_job):
    schedule = {"kind": "step", "every_epochs": 1, "gamma": 0.5}

    result = train(make_job(optimizer={"learning_rate": 0.1, "schedule": schedule}, training={"epochs": 3}))

    assert [row["values"]["learning_rate"] for row in result.history] == pytest.approx([0.1, 0.05, 0.025])


def test_should_stop_ends_the_run_at_once(make_job):
    asked = []

    def should_stop():
        asked.append(None)
        return len(asked) == 3

    records = []
    with pytest.raises(TrainingStopped) as caught:
        train(make_job(), should_stop=should_stop, on_record=records.append)

    assert len(asked) == 3
    assert caught.value.reason()["code"] == "cancelled_by_user"
    assert not [record for record in records if record.kind == "metrics"]


def test_a_loss_that_is_no_number_ends_the_run_with_what_to_do(make_job):
    job = make_job(
        data={"kind": "builtin", "name": "diabetes", "standardize_target": False}, optimizer={"learning_rate": 1e6}
    )

    with pytest.raises(DivergedError) as caught:
        train(job)

    reason = caught.value.reason()
    assert reason["code"] == "diverged"
    assert "Lower optimizer.learning_rate" in reason["remedy"]
    assert reason["details"]["epoch"] >= 1


@pytest.mark.parametrize("epochs", range(1, 8))
def test_a_run_whose_very_last_step_diverges_does_not_succeed(make_job, epochs):
    training = {"epochs": epochs, "batch_size": "full"}
    data = {"kind": "builtin", "name": "diabetes", "standardize_target": False}
    job = make_job(data=data, model={"kind": "linear"}, optimizer={"learning_rate": 1e6}, training=training)

    if epochs < 3:
        assert all(math.isfinite(value) for value in train(job).metrics.values())
    else:
        with pytest.raises(DivergedError, match="in epoch 3"):
            train(job)


@pytest.fixture
def make_diverging_job(make_job):
    """A job of four steps an epoch whose loss overflows the later the smaller the rate is."""

    def make(rate, **training):
        return make_job(
            data={"kind": "builtin", "name": "diabetes", "standardize_target": False},
            model={"kind": "linear"},
            optimizer={"learning_rate": rate, "momentum": 0.0},
            training={"epochs": 6} | training,
        )

    return make


def first_bad_step(trainer, rate):
    """The first step, counted from 1, whose loss is not finite: the trainer's rows in a loop of torch alone."""
    model, train_split = trainer.stack.network.module(0).train(), trainer.stack.data.train
    num_steps = trainer.members[0].plan.steps_per_epoch
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    batches = (trainer.stack.rows(epoch, place) for epoch in itertools.count() for place in range(num_steps))
    for step, rows in enumerate(batches, start=1):
        optimizer.zero_grad()
        loss = functional.mse_loss(model(train_split.x[rows[0]]).squeeze(-1), train_split.y[rows[0]])
        if not loss.isfinite():
            return step
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize("rate", [1e6, 1e3, 100, 10, 2])
def test_the_first_step_whose_loss_is_no_number_is_named(make_diverging_job, make_trainer, rate):
    job = make_diverging_job(rate)

    with pytest.raises(DivergedError) as caught:
        train(job)

    step = first_bad_step(make_trainer(job), rate)
    epoch = math.ceil(step / 4)
    assert str(caught.value).endswith(f"at step {step}, in epoch {epoch}")
    assert (caught.value.details["step"], caught.value.details["epoch"]) == (step, epoch)


def test_a_loss_that_an_evaluation_sees_first_is_of_the_epochs_last_step(make_diverging_job, make_trainer):
    job = make_diverging_job(30)

    with pytest.raises(DivergedError) as caught:
        train(job)

    assert (caught.value.details["step"], caught.value.details["epoch"]) == (8, 2)
    assert first_bad_step(make_trainer(job), 30) == 9


def test_a_member_that_diverges_is_found_as_it_would_be_alone(make_diverging_job, train_members):
    job = make_diverging_job(1e-3)

    sound, broken = train_members(job, make_diverging_job(10))

    assert isinstance(broken.error, DivergedError)
    assert broken.error.details["step"] == 10
    assert broken.state is None
    (alone,) = train_members(job)
    assert sound.error is None
    torch.testing.assert_close(sound.state, alone.state, rtol=2e-6, atol=2e-6)


def test_where_all_members_diverge_each_has_its_own_error(make_diverging_job, train_members):
    first, second = train_members(make_diverging_job(1e6), make_diverging_job(1e3))

    for trained, rate in ((first, 1e6), (second, 1e3)):
        with pytest.raises(DivergedError) as caught:
            train(make_diverging_job(rate))
        assert str(trained.error) == str(caught.value)


def test_a_member_that_diverges_between_evaluations_ends_as_it_would_alone(make_diverging_job, make_trainer):
    jobs = [make_diverging_job(rate, eval_every_epochs=3) for rate in (1e-3, 10)]
    with pytest.raises(DivergedError) as alone:
        train(jobs[1])

    broken, sound = make_trainer(*jobs).run()

    assert (str(broken.error), broken.error.details) == (str(alone.value), alone.value.details)
    assert broken.members[0].history == []
    assert [row["epoch"] for row in sound.members[0].history] == [3, 6]


def test_a_diverged_member_that_is_to_leave_takes_nobody_along(make_diverging_job, make_trainer, tmp_path):
    trainer = make_trainer(make_diverging_job(1e-3), make_diverging_job(10))
    control = Asking(10, {"1": tmp_path / "apart"})  # its tenth step was the bad one
    saving = SavingApart(tmp_path)
    trainer._control, trainer._checkpointer = control, saving

    broken, sound = trainer.run()

    assert isinstance(broken.error, DivergedError)
    assert broken.error.details["step"] == 10
    assert [member.key for member in sound.members] == ["0"]
    assert sound.error is None
    assert saving.saved == []


def test_the_last_metrics_that_were_finite_come_with_the_error(make_diverging_job):
    records = []

    with pytest.raises(DivergedError) as caught:
        train(make_diverging_job(10), on_record=records.append)

    metrics = [record.body for record in records if record.kind == "metrics"]
    assert [body["epoch"] for body in metrics if not body["non_finite"]] == [1, 2]
    assert caught.value.details["last_finite"] == metrics[1]["values"]


def test_in_the_first_epoch_there_are_no_last_finite_metrics(make_diverging_job):
    with pytest.raises(DivergedError) as caught:
        train(make_diverging_job(1e6))

    assert caught.value.details["last_finite"] is None


GROWING = {"kind": "step", "every_epochs": 1, "gamma": 4}


@pytest.mark.parametrize(
    ("parts", "causes", "said"),
    [
        (
            {"optimizer": {"learning_rate": 1e3}},
            ["/optimizer/learning_rate"],
            "Lower optimizer.learning_rate (now 1000)",
        ),
        (
            {"optimizer": {"learning_rate": 0.001, "schedule": GROWING}},
            ["/optimizer/schedule/gamma", "/optimizer/learning_rate"],
            "Lower optimizer.schedule.gamma (now 4), which had taken the learning rate to ",
        ),
        (
            {"regularizers": [{"kind": "l2", "strength": 1e5}]},
            ["/regularizers/0/strength", "/optimizer/learning_rate"],
            "Lower regularizers.0.strength (now 100000): learning rate × strength was 100, and above 2 steps",
        ),
        (
            {"regularizers": [{"kind": "elastic_net", "l1": 0, "l2": 1e5}]},
            ["/regularizers/0/l2", "/optimizer/learning_rate"],
            "Lower regularizers.0.l2 (now 100000)",
        ),
        (
            {"regularizers": [{"kind": "weight_decay", "strength": 1e5}]},
            ["/regularizers/0/strength", "/optimizer/learning_rate"],
            "Lower regularizers.0.strength (now 100000)",
        ),
        (
            {"regularizers": [{"kind": "l2", "strength": 10, "schedule": GROWING}]},
            ["/regularizers/0/strength", "/regularizers/0/schedule/gamma", "/optimizer/learning_rate"],
            "Lower regularizers.0.strength (now 10)",
        ),
        (
            {
                "model": {"kind": "mlp", "hidden": [32]},
                "regularizers": [{"kind": "l1", "strength": 1e4, "method": "subgradient"}],
            },
            ["/regularizers/0/strength", "/optimizer/learning_rate"],
            "Lower regularizers.0.strength (now 10000): each step took weights beyond zero, by up to 10.",
        ),
    ],
)
def test_the_remedy_of_a_divergence_names_its_likeliest_cause(make_job, parts, causes, said):
    data = {"kind": "builtin", "name": "diabetes", "standardize_target": False}
    base = {"data": data, "model": {"kind": "linear"}, "training": {"epochs": 15}}
    optimizer = {"learning_rate": 1e-3, "momentum": 0.0} | parts.get("optimizer", {})

    with pytest.raises(DivergedError) as caught:
        train(make_job(**base | parts | {"optimizer": optimizer}))

    assert caught.value.remedy.startswith(said)
    assert caught.value.details["likely_causes"] == causes


@pytest.mark.parametrize(
    ("eval_every_epochs", "learning_rate", "gamma", "step", "is_blamed"),
    [(2, 1e5, 2, 2, False), (1, 1e5, 2, 1, False), (2, 1e-5, 1e10, 2, True)],
    ids=["first update, seen by the second loss", "first, seen by an evaluation", "second, seen by an evaluation"],
)
def test_a_schedule_is_blamed_only_if_it_had_acted_in_the_update_that_broke_the_loss(
    make_job, eval_every_epochs, learning_rate, gamma, step, is_blamed
):
    """A step's loss is of the weights before its own update, which therefore is no cause of it."""
    job = make_job(
        data={"kind": "builtin", "name": "diabetes", "standardize": False, "standardize_target": False},
        model={"kind": "mlp", "hidden": [8, 8, 8, 8]},
        optimizer={"learning_rate": learning_rate, "momentum": 0.0, "schedule": GROWING | {"gamma": gamma}},
        training={"epochs": 2, "batch_size": "full", "eval_every_epochs": eval_every_epochs},
    )

    with pytest.raises(DivergedError) as caught:
        train(job)

    schedules = ["/optimizer/schedule/gamma"] if is_blamed else []
    assert caught.value.details["step"] == step
    assert caught.value.details["likely_causes"] == [*schedules, "/optimizer/learning_rate"]


def test_class_weights_are_named_where_they_multiply_the_loss(make_job):
    job = make_job(task={"class_weights": [1e12] * 10}, optimizer={"learning_rate": 1e6}, training={"epochs": 30})

    with pytest.raises(DivergedError) as caught:
        train(job)

    assert "Lower task.class_weights (the largest is 1e+12)" in caught.value.remedy


def test_the_best_epoch_before_a_divergence_is_offered(make_job):
    job = make_job(
        data={"kind": "builtin", "name": "diabetes", "standardize_target": False},
        model={"kind": "linear"},
        optimizer={"learning_rate": 1e-3, "momentum": 0.0, "schedule": GROWING | {"every_epochs": 5, "gamma": 40}},
        regularizers=[{"kind": "early_stopping", "patience": 50}],
        training={"epochs": 30},
    )
    records = []

    with pytest.raises(DivergedError) as caught:
        train(job, on_record=records.append)

    seen = {
        record.body["epoch"]: record.body["values"]["validation/loss"] for record in records if record.kind == "metrics"
    }
    details = caught.value.details
    epoch = min(seen, key=lambda epoch: math.inf if seen[epoch] is None else seen[epoch])
    assert (details["best_epoch"], details["best_metric"]) == (epoch, "validation/loss")
    assert details["best_value"] == seen[epoch]
    assert f"Epoch {epoch} was the best before (validation/loss" in caught.value.remedy
    until_then = train(job | {"training": job["training"] | {"epochs": epoch}})
    assert until_then.selected_epoch == epoch
    assert until_then.metrics["validation/loss"] == pytest.approx(seen[epoch], rel=1e-6)


def test_without_selection_no_epoch_is_offered(make_diverging_job):
    with pytest.raises(DivergedError) as caught:
        train(make_diverging_job(10))

    assert caught.value.details["best_epoch"] is None
    assert "best" not in caught.value.remedy


def test_a_diverged_state_is_never_saved(make_diverging_job, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointer, "MAX_SHARE", math.inf)
    records = []

    with pytest.raises(DivergedError, match="at step 10"):
        train(make_diverging_job(10, checkpoint_every_s=1e-9), resume_from=tmp_path, on_record=records.append)

    assert [record.body["step"] for record in records if record.kind == "checkpoint"] == list(range(10))


def test_a_run_that_is_to_stop_after_it_has_diverged_says_so_and_is_not_saved(make_diverging_job, tmp_path):
    with pytest.raises(DivergedError, match="at step 10"):
        train(make_diverging_job(10), resume_from=tmp_path, should_stop=at_call(11))

    assert list(tmp_path.iterdir()) == []


class Stopping(Control):
    """Stops before the n-th step."""

    def __init__(self, number):
        self.should_stop = at_call(number)


def at_call(number):
    """A `should_stop` that is true when it is asked for the n-th time: before the n-th step."""
    calls = itertools.count(1)
    return lambda: next(calls) == number


def without_time(history):
    return [{key: value for key, value in row.items() if key != "at"} for row in history]


def finish(trainer):
    """What is left of each member once it has ended."""
    ended = {}
    for ending in trainer.run():
        for k, member in enumerate(ending.members):
            ended[member.key] = (
                without_time(member.history),
                member.selected_epoch,
                {name: weight.tolist() for name, weight in ending.network.member_state(k).items()},
            )
    return ended


def note_endings(trainer, ended):
    """Keys of the members that end, also where the run breaks off."""
    for ending in trainer.run():
        ended.update(member.key for member in ending.members)


STOPPING = {"kind": "early_stopping", "patience": 2}
STACKS = PAIRS | {
    "early_stopping": tuple(
        {"optimizer": {"learning_rate": rate}, "regularizers": [STOPPING], "training": {"epochs": 8, "seed": seed}}
        for seed, rate in enumerate([1.5, 0.3])  # the first stops after the third epoch
    )
}


@pytest.mark.parametrize(("stack", "call"), [*itertools.product(STACKS, [1, 5, 7]), ("early_stopping", 24)])
def test_a_stack_that_goes_on_from_its_state_ends_with_the_same_bits(make_job, make_trainer, tmp_path, stack, call):
    jobs = [make_job(**changes) for changes in STACKS[stack]]
    whole, interrupted = finish(make_trainer(*jobs)), make_trainer(*jobs, control=Stopping(call))
    ended = set()
    with pytest.raises(TrainingStopped):
        note_endings(interrupted, ended)
    save_checkpoint(tmp_path, interrupted.step, interrupted.state())

    left = [k for k in range(len(jobs)) if str(k) not in ended]
    resumed = make_trainer(*jobs).select(left)
    saved = load_newest(tmp_path)
    resumed.resume(saved.step, saved.state)
    finished = finish(resumed)

    assert saved.step == call - 1
    assert finished == {key: whole[key] for key in finished}
    assert finished.keys() | ended == whole.keys()


def unmeasurable(trainer):
    """The same with validation rows so large that only members without weights have a finite loss on them."""
    split = trainer.stack.data.validation
    trainer.stack.data = replace(trainer.stack.data, validation=Split(split.x * 1e200, split.y))
    return trainer


def never_finite(make_job):
    """Two jobs: of the first, the l1 penalty leaves no weight; the second is never selected."""
    return [
        make_job(
            data={"name": "diabetes"},
            task={"loss": "mse"},
            optimizer={"learning_rate": 1e-3},
            regularizers=[{"kind": "l1", "strength": strength}, {"kind": "early_stopping", "patience": 50}],
            training=DOUBLE | {"epochs": 5, "seed": seed},
        )
        for seed, strength in enumerate([1e9, 0.0])
    ]


def test_a_member_whose_metric_is_never_finite_ends_with_its_last_weights_in_any_company(make_job, make_trainer):
    jobs = never_finite(make_job)

    together = finish(unmeasurable(make_trainer(*jobs)))

    history, selected_epoch, weights = together["1"]
    assert all("validation/loss" in row["non_finite"] for row in history)
    assert selected_epoch == 5
    (alone,) = finish(unmeasurable(make_trainer(jobs[1]))).values()
    assert alone[1] == 5
    for name, weight in weights.items():
        assert np.array(weight) == pytest.approx(np.array(alone[2][name]), rel=1e-8, abs=1e-8)


def test_whose_weights_are_kept_outlasts_an_interruption(make_job, make_trainer, tmp_path):
    jobs = never_finite(make_job)
    interrupted = unmeasurable(make_trainer(*jobs, control=Stopping(15)))
    with pytest.raises(TrainingStopped):
        list(interrupted.run())
    save_checkpoint(tmp_path, interrupted.step, interrupted.state())

    resumed, saved = unmeasurable(make_trainer(*jobs)), load_newest(tmp_path)
    resumed.resume(saved.step, saved.state)

    assert finish(resumed) == finish(unmeasurable(make_trainer(*jobs)))


def equal_validation_targets(trainer):
    split = trainer.stack.data.validation
    trainer.stack.data = replace(trainer.stack.data, validation=Split(split.x, torch.full_like(split.y, 14.62)))
    return trainer


def test_a_metric_without_a_value_ends_nobody_early_and_is_warned_of_once(make_job, make_trainer):
    records = []
    job = make_job(
        data={"name": "diabetes"},
        optimizer={"learning_rate": 1e-3},
        regularizers=[{"kind": "early_stopping", "patience": 2, "metric": "validation/r2"}],
        training=DOUBLE | {"epochs": 6},
    )
    trainer = equal_validation_targets(make_trainer(job))
    trainer.members[0].on_record = records.append

    ((history, selected_epoch, _),) = finish(trainer).values()

    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6]
    assert selected_epoch == 6
    (warning,) = [record.body for record in records if record.kind == "warning"]
    assert warning["code"] == "metric_undefined"
    assert "validation/r2 has no value after epoch 1" in warning["message"]


class Asking(Control):
    """Lets members leave before a step, to be saved where it is said."""

    def __init__(self, step, leaving):
        self.calls = itertools.count()
        self.step, self.wanted = step, leaving

    def leaving(self):
        return self.wanted if next(self.calls) == self.step else {}


class SavingApart(checkpointer.Checkpointer):
    """Is never due, and notes whom it is to save."""

    def __init__(self, root):
        options = {"every_s": math.inf, "expected_bytes": 0, "max_bytes": None, "on_record": lambda record: None}
        super().__init__(root, {"is_exact": True}, **options)
        self.saved = []

    def save_apart(self, root, on_record, step, epoch, state):
        self.saved.append((step, state["keys"]))


@pytest.mark.parametrize("stack", PAIRS)
def test_a_member_that_leaves_does_not_disturb_the_others(make_job, make_trainer, train_members, stack):
    jobs = [make_job(**changes) for changes in PAIRS[stack]]
    trainer = make_trainer(*jobs, control=Asking(3, {"0": None}))

    endings = list(trainer.run())

    assert [[member.key for member in ending.members] for ending in endings] == [["0"], ["1"]]
    assert isinstance(endings[0].error, TrainingStopped)
    (alone,) = train_members(jobs[1])
    torch.testing.assert_close(endings[1].network.member_state(0), alone.state, rtol=1e-8, atol=1e-8)


class Judging(Control):
    """Lets a member fall at a rung."""

    def __init__(self, epochs, fallen):
        self.epochs, self.fallen, self.seen = frozenset(epochs), fallen, []

    def rungs(self, key):
        return Rungs(self.epochs, "validation/loss")

    def judge(self, epoch, values):
        self.seen.append((epoch, values))
        return self.fallen.get(epoch, ())


def test_a_rung_judges_by_the_metric_and_those_that_fall_leave(make_job, make_trainer):
    jobs = [make_job(training=DOUBLE | {"epochs": 4, "seed": seed, "eval_every_epochs": 3}) for seed in range(3)]
    control = Judging([1, 2, 4], {1: {"1"}, 2: {"0"}})

    endings = list(make_trainer(*jobs, control=control).run())

    assert [(sorted(m.key for m in ending.members), type(ending.error)) for ending in endings] == [
        (["1"], TrainingHalved),
        (["0"], TrainingHalved),
        (["2"], type(None)),
    ]
    assert [(epoch, sorted(values)) for epoch, values in control.seen] == [(1, ["0", "1", "2"]), (2, ["0", "2"])]
    assert endings[1].error.details == {
        "epoch": 2,
        "metric": "validation/loss",
        "value": control.seen[1][1]["0"],
    }
    assert [row["epoch"] for row in endings[2].members[0].history] == [3, 4]


def test_a_rung_judges_by_what_an_evaluation_at_that_epoch_measures(make_job, make_trainer):
    job = make_job(training={"epochs": 4, "eval_every_epochs": 4})
    control = Judging([1, 2, 3], {})
    list(make_trainer(job, control=control).run())

    expected = [row["values"]["validation/loss"] for row in train(make_job(training={"epochs": 4})).history]

    assert [values["0"] for _, values in control.seen] == expected[:3]


@settings(max_examples=25, deadline=None)
@given(
    eval_every=st.integers(1, 8),
    patience=st.integers(1, 3),
    metric=st.sampled_from(["validation/loss", "validation/accuracy"]),
    epochs=st.sets(st.integers(1, 12)),
    rate=st.sampled_from([0.3, 1.5, 3.0]),
)
def test_what_a_halving_trains_to_the_end_is_what_its_spec_trains_alone(
    make_job, eval_every, patience, metric, epochs, rate
):
    job = make_job(
        optimizer={"learning_rate": rate},
        regularizers=[{"kind": "early_stopping", "patience": patience, "metric": metric}],
        training={"epochs": 12, "eval_every_epochs": eval_every},
    )

    ((_, judged),) = train_group([Newcomer("0", make_plan(parse_spec(job)))], control=Judging(epochs, {}))

    alone = train(job)
    assert judged.weights_sha256 == alone.weights_sha256
    assert judged.selected_epoch == alone.selected_epoch
    assert judged.metrics == alone.metrics
    assert without_time(judged.history) == without_time(alone.history)
    assert judged.report == alone.report


def test_a_loss_that_is_infinite_at_a_rung_alone_ends_nobody(make_job, make_trainer):
    trainer = make_trainer(make_job(training={"epochs": 3, "eval_every_epochs": 3}), control=Judging([1, 2], {}))
    measured = trainer.stack.measure
    infinite = {"train/loss": math.inf, "validation/loss": math.inf}
    trainer.stack.measure = lambda asked: [
        values | infinite if trainer.step < 12 else values for values in measured(asked)
    ]

    (ending,) = trainer.run()

    assert ending.error is None
    assert trainer._control.seen == [(1, {"0": math.inf}), (2, {"0": math.inf})]


def test_a_metric_that_early_stopping_watches_is_in_that_members_records_alone(make_job, make_trainer) -> None:
    watching = [{"kind": "early_stopping", "metric": "validation/auroc", "patience": 20}]
    jobs = [make_job(regularizers=watching), make_job(regularizers=[{"kind": "early_stopping", "patience": 20}])]

    (ending,) = make_trainer(*jobs).run()

    first, second = ending.members
    course = [row["values"]["validation/auroc"] for row in first.history]
    assert first.selected_epoch == first.history[course.index(max(course))]["epoch"]
    assert all("validation/auroc" not in row["values"] for row in second.history)
    assert "test/auroc" not in first.history[0]["values"]


class JudgingByRanking(Control):
    """Every member is judged by AUROC after the first epoch, and goes on."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def rungs(self, key: str) -> Rungs:
        return Rungs(frozenset([1]), "validation/auroc")

    def judge(self, epoch, values):
        self.seen += values.values()
        return ()


def test_a_metric_that_a_rung_asks_for_decides_it_and_is_not_recorded(make_job, make_trainer) -> None:
    control = JudgingByRanking()

    (ending,) = make_trainer(make_job(training={"epochs": 2}), control=control).run()

    assert len(control.seen) == 1
    assert 0 < control.seen[0] <= 1
    assert "validation/auroc" not in ending.members[0].history[0]["values"]


class JudgingFirst(Control):
    """Only the first member is judged, after every epoch, and goes on."""

    def rungs(self, key):
        return Rungs(frozenset(range(1, 100))) if key == "0" else Rungs()


def test_a_rung_is_no_evaluation_of_a_members_own_nor_of_others(make_job, make_trainer, train_members):
    jobs = [
        make_job(
            optimizer={"learning_rate": 1.5},
            regularizers=[{"kind": "early_stopping", "patience": 2}],
            training=DOUBLE | {"epochs": 12, "eval_every_epochs": 2, "seed": seed},
        )
        for seed in range(2)
    ]
    endings = list(make_trainer(*jobs, control=JudgingFirst()).run())
    members = {member.key: member for ending in endings for member in ending.members}

    for key, job in zip("01", jobs, strict=True):
        (alone,) = train_members(job)
        assert [row["epoch"] for row in members[key].history] == [row["epoch"] for row in alone.history]
        assert members[key].selected_epoch == alone.selected_epoch
