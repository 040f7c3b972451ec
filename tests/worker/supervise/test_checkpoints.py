import os

import pytest
from one_job import append, requeue

from jobs.model import Capabilities, NewRecord, Settlement
from jobs.states import JobState
from regcore.loop.first import FOLDER
from worker.supervise.checkpoints import RunCheckpoints, owners, remove_checkpoints


@pytest.fixture
def root(tmp_path):
    return tmp_path / "checkpoints"


@pytest.fixture
def claim(store):
    """Claims the one job, after giving back the run that had it."""
    runs = []

    def claim():
        if runs:
            requeue(store, runs[-1].run_id, runs[-1].jobs[0].id)
        runs.append(store.claim("wrk_1", Capabilities(frozenset({"cpu"}))))
        run = runs[-1]
        return run.jobs[0].id, run.run_id, run.jobs[0]

    return claim


def write(run, step):
    """What the engine writes, as far as it matters here."""
    folder = run.path / f"step-{step:012d}"
    folder.mkdir()
    (folder / "state.json").write_text(f"{step}")
    return {"step": step, "name": folder.name}


def names(run):
    return sorted(path.name for path in run.path.iterdir())


def test_a_first_run_begins_with_an_empty_folder_of_its_own(submit, claim, root):
    job = submit("succeed")
    _, run_id, claimed = claim()

    run = RunCheckpoints(root, claimed.id, run_id, claimed)
    run.take_over()

    assert run.path == root / job.id / str(run_id)
    assert names(run) == []


def test_the_next_run_begins_with_the_accepted_checkpoint_and_the_one_before(store, submit, claim, root):
    job = submit("succeed")
    _, run_id, claimed = claim()
    first = RunCheckpoints(root, claimed.id, run_id, claimed)
    first.take_over()
    bodies = [write(first, step) for step in (10, 20, 30)]
    append(store, run_id, job.id, [NewRecord("checkpoint", bodies[1], 1.0)])  # of the third the store never heard

    second = RunCheckpoints(root, *claim())
    second.take_over()

    assert names(second) == ["step-000000000010", "step-000000000020"]
    here, there = (run.path / "step-000000000020" / "state.json" for run in (first, second))
    assert here.samefile(there), "a link costs no disk"


def test_the_next_run_has_the_models_that_were_trained_before_the_run_itself(store, submit, claim, root):
    job = submit("succeed")
    _, run_id, claimed = claim()
    first = RunCheckpoints(root, claimed.id, run_id, claimed)
    first.take_over()
    (first.path / FOLDER / "teacher").mkdir(parents=True)
    (first.path / FOLDER / "teacher" / "model.json").write_text("{}")
    append(store, run_id, job.id, [NewRecord("checkpoint", write(first, 10), 1.0)])
    _, run_id, claimed = claim()

    second = RunCheckpoints(root, claimed.id, run_id, claimed)
    second.take_over()

    assert (second.path / FOLDER / "teacher" / "model.json").read_text() == "{}"


def test_what_was_begun_before_the_first_checkpoint_is_taken_over_from_the_last_run_that_began_it(submit, claim, root):
    submit("succeed")
    for number in range(4):
        _, run_id, claimed = claim()
        run = RunCheckpoints(root, claimed.id, run_id, claimed)
        run.take_over()
        found = [file.read_text() for file in run.path.glob(f"{FOLDER}/*/state.json")]
        assert found == ([] if number < 2 else ["1"])
        if number == 1:  # the first run ends before it begins anything, the third before it adds to what it took over
            (run.path / FOLDER / "teacher.saved").mkdir(parents=True)
            (run.path / FOLDER / "teacher.saved" / "state.json").write_text("1")


def test_what_a_stale_run_deletes_meanwhile_is_left_out_as_a_whole(submit, claim, root, monkeypatch):
    submit("succeed")
    _, run_id, claimed = claim()
    first = RunCheckpoints(root, claimed.id, run_id, claimed)
    first.take_over()
    saved = first.path / FOLDER / "teacher.saved"
    saved.mkdir(parents=True)
    for name in ("manifest.json", "state.json"):
        (saved / name).write_text("{}")
    link = os.link

    def deleted_before_the_second(source, destination):
        link(source, destination)
        for file in saved.iterdir():
            file.unlink()

    _, run_id, claimed = claim()
    monkeypatch.setattr(os, "link", deleted_before_the_second)
    second = RunCheckpoints(root, claimed.id, run_id, claimed)
    second.take_over()

    assert not (second.path / FOLDER).exists()


@pytest.fixture
def saved_run(submit, claim, root):
    """A run whose second checkpoint is the newest that the store has accepted."""
    submit("succeed")
    _, run_id, claimed = claim()
    run = RunCheckpoints(root, "grp_1", run_id, claimed)
    run.take_over()
    for step in (10, 20, 30):
        body = write(run, step)
        if step < 30:
            run.accept(body["name"])
    return run


def test_a_run_of_one_job_keeps_its_models_where_they_are(submit, claim, root):
    submit("succeed")
    _, run_id, claimed = claim()
    alone = RunCheckpoints(root, claimed.id, run_id, claimed)
    alone.take_over()
    (alone.path / FOLDER / "teacher").mkdir(parents=True)

    alone.keep_models_apart(claimed.id)

    assert (alone.path / FOLDER / "teacher").is_dir()


def test_a_job_that_leaves_the_others_has_what_was_trained_first_when_it_goes_on_alone(saved_run, claim, root):
    (saved_run.path / FOLDER / "teacher").mkdir(parents=True)
    (saved_run.path / FOLDER / "teacher" / "model.json").write_text("{}")
    _, run_id, claimed = claim()

    saved_run.keep_models_apart(claimed.id)
    saved_run.keep_models_apart(claimed.id)  # a settlement that is tried again
    saved_run.remove()
    alone = RunCheckpoints(root, claimed.id, run_id, claimed)
    alone.take_over()

    assert (alone.path / FOLDER / "teacher" / "model.json").read_text() == "{}"


def test_what_is_kept_for_one_job_outlives_the_runs_own(saved_run):
    kept = saved_run.keep_apart("job_1", max_bytes=2)
    saved_run.remove()

    assert kept
    (folder,) = saved_run.apart("job_1").iterdir()
    assert folder.name == "step-000000000020"
    assert (folder / "state.json").read_text() == "20"


def test_what_is_kept_costs_no_disk_as_long_as_it_is_the_runs_too(saved_run):
    saved_run.keep_apart("job_1", max_bytes=2)

    here, there = (folder / "step-000000000020" / "state.json" for folder in (saved_run.path, saved_run.apart("job_1")))
    assert here.samefile(there)


def test_a_checkpoint_that_is_too_large_for_one_job_is_not_kept(saved_run):
    assert not saved_run.keep_apart("job_1", max_bytes=1)
    assert not saved_run.apart("job_1").exists()


def test_where_nothing_is_accepted_nothing_is_kept(submit, claim, root):
    submit("succeed")
    job_id, run_id, claimed = claim()
    run = RunCheckpoints(root, job_id, run_id, claimed)
    run.take_over()
    write(run, 10)

    assert not run.keep_apart("job_1", max_bytes=100)


def test_what_cannot_be_written_is_not_kept(saved_run, root):
    (root / "job_1").write_text("no folder")

    assert not saved_run.keep_apart("job_1", max_bytes=100)


def test_a_job_goes_on_from_the_checkpoint_of_the_group_that_it_was_of(store, submit, root):
    ids = [submit("succeed", fusion_key="same").id for _ in range(2)]
    cpu = Capabilities(frozenset({"cpu"}))
    run = store.claim("wrk_1", cpu)
    group = store.join(run.run_id, ids[0], cpu, 1, 10**9)
    of_group = RunCheckpoints(root, group.group_id, group.run_id, group.jobs[0])
    of_group.take_over()
    record = NewRecord("checkpoint", write(of_group, 10), 1.0)
    store.append_all(group.run_id, {job_id: [record] for job_id in ids})
    ends = [Settlement(job_id=job_id, state=JobState.QUEUED, alone=True) for job_id in ids]
    store.settle(group.run_id, ends)

    alone = store.claim("wrk_1", cpu)
    own = RunCheckpoints(root, alone.jobs[0].id, alone.run_id, alone.jobs[0])
    found = own.take_over()

    assert found
    assert own.path == root / ids[0] / str(alone.run_id)
    assert names(own) == ["step-000000000010"]
    assert owners(root) == sorted([group.group_id, ids[0]])


def test_what_is_saved_apart_lies_where_the_jobs_own_next_run_looks_for_it(store, submit, claim, root):
    job = submit("succeed")
    _, run_id, claimed = claim()
    of_group = RunCheckpoints(root, "grp_" + "A" * 26, run_id, claimed)
    folder = of_group.apart(job.id) / "step-000000000009"
    folder.mkdir(parents=True)
    body = {"step": 9, "name": folder.name, "apart": True}
    append(store, run_id, job.id, [NewRecord("checkpoint", body, 1.0)])

    own = RunCheckpoints(root, *claim())

    assert own.take_over()
    assert names(own) == ["step-000000000009"]


def test_a_file_system_without_links_gets_copies(store, submit, claim, root, monkeypatch):
    job = submit("succeed")
    _, run_id, claimed = claim()
    first = RunCheckpoints(root, claimed.id, run_id, claimed)
    first.take_over()
    append(store, run_id, job.id, [NewRecord("checkpoint", write(first, 10), 1.0)])

    def no_links(source, destination):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    second = RunCheckpoints(root, *claim())
    second.take_over()

    assert (second.path / "step-000000000010" / "state.json").read_text() == "10"


def test_earlier_runs_are_forgotten_and_later_ones_kept(submit, claim, root):
    submit("succeed")
    runs = [RunCheckpoints(root, *claim()) for _ in range(3)]
    for run in runs:
        run.take_over()

    runs[1].forget_earlier_runs()

    assert [run.path.exists() for run in runs] == [False, True, True]


def test_an_ended_job_leaves_nothing(submit, claim, root):
    job = submit("succeed")
    run = RunCheckpoints(root, *claim())
    run.take_over()
    before = owners(root)

    run.remove()
    run.remove()

    assert before == [job.id]
    assert owners(root) == []
    assert owners(root / "not there") == []


def test_a_checkpoint_that_is_not_there_is_said_to_be_missing(store, submit, claim, root):
    job = submit("succeed")
    _, run_id, claimed = claim()
    first = RunCheckpoints(root, claimed.id, run_id, claimed)
    found_nothing_to_take = first.take_over()
    append(store, run_id, job.id, [NewRecord("checkpoint", write(first, 10), 1.0)])
    first.remove()

    second = RunCheckpoints(root, *claim())

    assert found_nothing_to_take
    assert not second.take_over()
    assert second.accepted_step == 10


def test_what_is_no_jobs_is_left_alone(submit, claim, root):
    job = submit("succeed")
    run = RunCheckpoints(root, *claim())
    run.take_over()
    (root / "my-thesis").mkdir()
    (run.path.parent / ".DS_Store").touch()

    run.forget_earlier_runs()

    assert owners(root) == [job.id]
    assert owners(root, min_age_s=60) == []
    os.utime(root / job.id, (0, 0))
    assert owners(root, min_age_s=60) == [job.id]


def test_checkpoints_of_several_jobs_are_deleted(root):
    ids = [f"{kind}_{letter * 26}" for kind, letter in (("job", "A"), ("job", "B"), ("grp", "C"))]
    for job_id in ids:
        (root / job_id / "7").mkdir(parents=True)

    remove_checkpoints(root, {ids[0], ids[2], "job_gone"})

    assert owners(root) == [ids[1]]
