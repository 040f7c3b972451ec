import shutil
import time
from dataclasses import replace

from supervising import (
    in_background,
    run_ids_of,
    text_of,
    wait_for_state,
)


def test_the_time_of_the_device_is_shared_out_among_those_that_use_it(store, submit_group, supervise):
    jobs = submit_group("wait", "wait", "wait")
    began_at = time.monotonic()
    thread = in_background(supervise)
    wait_for_state(store, jobs[0], "running")
    time.sleep(0.5)

    for job in jobs:
        store.request_cancel("t", job.id)
    thread.join()

    took_s = time.monotonic() - began_at
    used_s = [store.get("t", job.id).usage["device_s"] for job in jobs]
    assert 0.4 < sum(used_s) < took_s
    assert max(used_s) < took_s / 2


def test_a_checkpoint_that_cannot_be_found_is_warned_of(store, submit, supervise, surroundings):
    job = submit("save-and-crash")
    supervise()
    shutil.rmtree(surroundings.settings.checkpoints_dir)

    supervise()

    (warning,) = store.records("t", job.id, kinds=["warning"])
    assert warning.body["code"] == "checkpoint_missing"


def test_a_runner_that_saves_before_it_dies_is_tried_again_for_ever(
    store, submit, supervise, surroundings, pass_delays
):
    job = submit("save-and-crash")

    for _ in range(surroundings.settings.max_attempts + 1):
        supervise()
        pass_delays()

    assert store.state("t", job.id) == "queued"
    (of_job,) = surroundings.settings.checkpoints_dir.iterdir()
    assert [folder.name for folder in of_job.iterdir()] == [str(run_ids_of(store)[-1])], "earlier runs are forgotten"


def test_a_log_beyond_its_size_is_cut(store, submit, supervise, surroundings):
    job = submit("chatty")

    supervise(replace(surroundings, settings=surroundings.settings.model_copy(update={"max_log_bytes": 20_000})))

    assert store.state("t", job.id) == "succeeded"
    assert len(text_of(surroundings, job, "log.txt")) <= 21_000
