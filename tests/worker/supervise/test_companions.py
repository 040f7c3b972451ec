from dataclasses import replace

import pytest
from supervising import reasons, states

from worker.protocol import Measure, Run


def test_a_measured_size_limits_the_pass_and_is_asked_for_anew_by_the_next(store, submit_group, supervise):
    """The runner remembers what it has timed; how much memory there is, is another matter each time."""
    jobs = submit_group("succeed", "succeed", spec={"fits": 2}) + submit_group(*["succeed"] * 3, spec={"fits": 3})

    supervise()
    first = states(store, jobs)
    supervise()

    assert first == ["succeeded", "succeeded", "queued", "queued", "queued"]
    assert states(store, jobs) == ["succeeded"] * 5


@pytest.mark.parametrize(("max_fused", "num_together"), [(1, 1), (2, 2)])
def test_a_setting_limits_the_pass(store, submit_group, supervise, surroundings, max_fused, num_together):
    jobs = submit_group("succeed", "succeed", "succeed")
    settings = surroundings.settings.model_copy(update={"max_fused": max_fused})

    supervise(replace(surroundings, settings=settings))

    assert states(store, jobs).count("succeeded") == num_together


def test_a_job_that_nobody_waits_with_is_not_measured(submit_group, supervise, start_scripted, monkeypatch):
    submit_group("succeed")
    runner = start_scripted()
    sent, send = [], runner.send
    monkeypatch.setattr(runner, "send", lambda command: (sent.append(command), send(command)))

    supervise(runner=runner)

    assert any(isinstance(command, Run) for command in sent)
    assert not any(isinstance(command, Measure) for command in sent)


def test_a_runner_that_dies_while_it_measures_costs_one_job_its_attempt(store, submit_group, supervise, start_scripted):
    jobs = submit_group("succeed", "succeed")
    dead = start_scripted()
    dead.kill()

    clean = supervise(runner=dead)

    assert not clean
    assert states(store, jobs) == ["queued", "queued"]
    assert reasons(store, jobs) == ["worker_lost", None]


def test_a_rerun_from_anothers_checkpoint_trained_with_nobody(store, submit, supervise):
    parent = {"owner": "job_parent", "key": "job_parent", "run_id": 1, "step": 5, "furthest_step": 5, "name": "step-5"}
    rerun = submit("succeed", checkpoint=parent)

    supervise()

    assert store.get("t", rerun.id).result["fused_with"] == []
