import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from regcore import make_plan, parse_spec, train
from regcore.data.source import KnownSource
from regcore.errors import DivergedError, InvalidDataError, TrainingStopped
from regcore.loop import checkpointer, group
from regcore.loop.control import Control
from regcore.loop.group import Checkpoints, Newcomer, by_fusion_key, train_group
from regcore.loop.result import Result

SOON = {"kind": "early_stopping", "patience": 1, "min_delta": 1e9}
LATE = {"kind": "early_stopping", "patience": 100}


@pytest.fixture
def make_newcomers(make_job):
    """Three members of eight epochs with four steps each, of which the first stops after the second."""

    def make(**changes):
        training = {"epochs": 8} | changes.pop("training", {})
        return [
            Newcomer(
                name,
                make_plan(
                    parse_spec(
                        make_job(
                            optimizer={"learning_rate": 0.1 * (1 + k), "momentum": 0.9 - k / 10},
                            regularizers=[stopping, {"kind": "dropout", "p": 0.1 * k}],
                            training={"seed": k, **training},
                            **changes,
                        )
                    )
                ),
            )
            for k, (name, stopping) in enumerate([("short", SOON), ("long", LATE), ("other", LATE)])
        ]

    return make


class StoppingAt(Control):
    """Stops before the n-th step."""

    def __init__(self, number):
        self._calls, self._number = 0, number

    def should_stop(self):
        self._calls += 1
        return self._calls == self._number


def note_ends(newcomers, ended, **options):
    """Results by key, also where the pass breaks off."""
    for key, outcome in train_group(newcomers, **options):
        ended[key] = outcome


def stop_at(number, newcomers, root):
    """The results of those that end before the n-th step of a pass that is then saved and stopped."""
    ended = {}
    with pytest.raises(TrainingStopped):
        note_ends(newcomers, ended, control=StoppingAt(number), checkpoints=Checkpoints(root))
    return ended


def without_time(history):
    return [{name: value for name, value in row.items() if name != "at"} for row in history]


def test_each_result_of_a_pass_is_that_of_its_solo_run(make_newcomers):
    newcomers = make_newcomers(training={"precision": "float64"})

    results = dict(train_group(newcomers))

    for newcomer in newcomers:
        ours, solo = results[newcomer.key], train(newcomer.plan.resolved_spec)
        torch.testing.assert_close(ours.model.state_dict(), solo.model.state_dict(), rtol=1e-8, atol=1e-8)
        for name in ("metrics", "norms", "generalization_gap", "sparsity"):
            assert getattr(ours, name) == pytest.approx(getattr(solo, name), rel=1e-8, abs=1e-8)
        assert ours.selected_epoch == solo.selected_epoch
        assert ours.plan == solo.plan
        assert ours.rows.keys() == solo.rows.keys()
        for name, rows in ours.rows.items():
            assert rows == pytest.approx(solo.rows[name], rel=1e-6, abs=1e-8)  # kept in float32


def test_results_come_as_soon_as_members_end_and_name_their_companions(make_newcomers):
    ended = list(train_group(make_newcomers()))

    assert [key for key, _ in ended] == ["short", "long", "other"]
    results = dict(ended)
    assert len(results["short"].history) == 2
    assert results["short"].fused_with == ["long", "other"]
    assert results["other"].fused_with == ["short", "long"]


def test_a_member_alone_has_no_companions(make_newcomers):
    ((key, result),) = train_group(make_newcomers()[1:2])

    assert key == "long"
    assert result.fused_with == []


def test_companions_are_those_that_it_began_with_where_that_is_said(make_newcomers):
    ((_, result),) = train_group(make_newcomers()[1:2], companions=["long", "gone"])

    assert result.fused_with == ["gone"]


def test_one_that_diverges_leaves_the_others_their_results(make_newcomers, make_job):
    data = {"kind": "builtin", "name": "diabetes"}
    jobs = [make_job(data=data, model={"kind": "linear"}, optimizer={"learning_rate": rate}) for rate in (1e-3, 1e6)]
    newcomers = [Newcomer(str(k), make_plan(parse_spec(job))) for k, job in enumerate(jobs)]

    ended = dict(train_group(newcomers))

    assert isinstance(ended["0"], Result)
    assert isinstance(ended["1"], DivergedError)


# Going on


@pytest.mark.parametrize("call", [1, 5, 7, 8])
def test_a_pass_that_goes_on_gives_every_member_the_same_bits(make_newcomers, tmp_path, call):
    whole = dict(train_group(make_newcomers()))
    stop_at(call, make_newcomers(), tmp_path)

    resumed = dict(train_group(make_newcomers(), checkpoints=Checkpoints(tmp_path)))

    assert resumed.keys() == whole.keys()
    for key, result in resumed.items():
        assert result.weights_sha256 == whole[key].weights_sha256
        assert without_time(result.history) == without_time(whole[key].history)
        assert result.selected_epoch == whole[key].selected_epoch
        assert result.is_exact


def test_who_had_ended_before_the_checkpoint_is_not_missed(make_newcomers, tmp_path):
    """The stack was without it when it was saved: what goes on is the very same pass."""
    whole = dict(train_group(make_newcomers()))
    ended = stop_at(20, make_newcomers(), tmp_path)
    rest = [newcomer for newcomer in make_newcomers() if newcomer.key not in ended]

    resumed = dict(train_group(rest, checkpoints=Checkpoints(tmp_path)))

    assert list(ended) == ["short"]
    assert {key: result.weights_sha256 for key, result in resumed.items()} == {
        key: whole[key].weights_sha256 for key in ("long", "other")
    }
    assert all(result.is_exact for result in resumed.values())


def test_a_pass_that_goes_on_without_one_of_its_members_is_near_and_does_not_say_exact(make_newcomers, tmp_path):
    precise = {"precision": "float64"}
    whole = dict(train_group(make_newcomers(training=precise)))
    stop_at(6, make_newcomers(training=precise), tmp_path)
    rest = [newcomer for newcomer in make_newcomers(training=precise) if newcomer.key != "other"]

    resumed = dict(train_group(rest, checkpoints=Checkpoints(tmp_path)))

    assert resumed.keys() == {"short", "long"}
    for key, result in resumed.items():
        torch.testing.assert_close(result.model.state_dict(), whole[key].model.state_dict(), rtol=1e-8, atol=1e-8)
        assert not result.is_exact


def test_who_goes_on_without_the_others_needs_no_memory_for_them(make_newcomers, tmp_path, monkeypatch):
    stop_at(6, make_newcomers(), tmp_path)
    sizes = []

    class Counted(group.StackedNetwork):
        def __init__(self, plans, **options):
            sizes.append(len(plans))
            super().__init__(plans, **options)

    monkeypatch.setattr(group, "StackedNetwork", Counted)
    dict(train_group(make_newcomers()[1:2], checkpoints=Checkpoints(tmp_path)))

    assert sizes == [1]


def test_a_member_that_was_saved_apart_goes_on_alone(make_newcomers, tmp_path):
    precise = {"precision": "float64"}

    class Leaving(Control):
        calls = 0

        def leaving(self):
            Leaving.calls += 1
            return {"long": tmp_path / "apart"} if Leaving.calls == 10 else {}

    ended = dict(
        train_group(make_newcomers(training=precise), control=Leaving(), checkpoints=Checkpoints(tmp_path / "together"))
    )
    (newcomer,) = (each for each in make_newcomers(training=precise) if each.key == "long")
    ((_, result),) = train_group([newcomer], checkpoints=Checkpoints(tmp_path / "apart"))

    solo = train(newcomer.plan.resolved_spec)
    assert isinstance(ended["long"], TrainingStopped)
    torch.testing.assert_close(result.model.state_dict(), solo.model.state_dict(), rtol=1e-8, atol=1e-8)
    assert [row["epoch"] for row in result.history] == list(range(1, 9))
    assert not result.is_exact
    assert not ended["other"].is_exact


def test_every_member_hears_of_the_checkpoints(make_newcomers, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointer, "MAX_SHARE", math.inf)
    heard = {}

    def listening(newcomer):
        heard[newcomer.key] = []
        return replace(newcomer, on_record=heard[newcomer.key].append)

    newcomers = [listening(newcomer) for newcomer in make_newcomers(training={"checkpoint_every_s": 1e-9})]
    dict(train_group(newcomers, checkpoints=Checkpoints(tmp_path)))

    steps = {
        key: [record.body["step"] for record in records if record.kind == "checkpoint"]
        for key, records in heard.items()
    }
    assert steps == {"short": list(range(8)), "long": list(range(32)), "other": list(range(32))}


# Where members begin


def test_a_member_begins_with_the_weights_that_it_is_given(make_newcomers, tmp_path):
    (first, *others) = make_newcomers()
    given = train(others[0].plan.resolved_spec).model.state_dict()
    path = tmp_path / "model.safetensors"
    save_file(given, path)
    still = make_plan(
        parse_spec(
            first.plan.resolved_spec.model_dump()
            | {"optimizer": {"kind": "sgd", "learning_rate": 1e-30, "momentum": 0.1}}
        )
    )

    results = dict(train_group([replace(first, plan=still, inputs={"init_from": path}), *others]))

    torch.testing.assert_close(results["short"].model.state_dict(), given, rtol=0, atol=0)
    solo = train(others[1].plan.resolved_spec)
    torch.testing.assert_close(results["other"].model.state_dict(), solo.model.state_dict(), rtol=1e-3, atol=1e-3)


# Surroundings


def test_data_that_cannot_be_read_end_the_pass(make_job):
    job = make_job(data={"kind": "torchvision", "name": "MNIST"})
    newcomers = [Newcomer(str(k), make_plan(parse_spec(job))) for k in range(2)]

    with pytest.raises(InvalidDataError, match="MNIST"):
        dict(train_group(newcomers, source=KnownSource(Path("/nowhere"))))


def test_plans_are_sorted_by_what_they_share(make_job):
    jobs = {
        "a": make_job(),
        "b": make_job(fusion="off"),
        "c": make_job(training={"seed": 5}),
        "d": make_job(fusion="off"),
        "e": make_job(model={"hidden": [9]}),
        "f": make_job(model={"hidden": [9]}, optimizer={"learning_rate": 0.5}),
    }

    groups = by_fusion_key({key: make_plan(parse_spec(job)) for key, job in jobs.items()})

    assert groups == [["a", "c"], ["b"], ["d"], ["e", "f"]]
