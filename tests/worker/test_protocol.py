import pytest

from worker.protocol import (
    _TYPES,
    Accepted,
    Assignment,
    Born,
    Capacity,
    Finished,
    JobEnded,
    Judged,
    Judging,
    Leave,
    Measure,
    Ready,
    Renew,
    Run,
    Saved,
    Started,
    Stop,
    Wrote,
    decode,
    encode,
)

MEMBERS = [
    Assignment("job_1", "job_1", {"name": "λ"}, "/runs/7/job_1", "/runs/7/job_1/log.txt"),
    Assignment("job_2", "job_0", {}, "/runs/7/job_2", "/2.txt", "/weights", [1, 3], "validation/accuracy"),
]
MESSAGES = [
    Measure({"name": "λ"}, 64, "/sets", "cpu", 2, 30.0),
    Run(7, MEMBERS, ["job_1", "job_0"], "/output.txt", "/checkpoints/7", 40, 1000, "/sets", "cuda:1", 2, 30.0),
    Renew(30.0),
    Accepted(50),
    Leave("job_1", "/checkpoints/job_1/7"),
    Leave("job_1", None),
    Judged(3, ["job_1"]),
    Stop(save=True),
    Born(7),
    Ready({"torch": "2.9"}),
    Capacity(16, 10**9),
    Started(7),
    Wrote("job_1", "metrics", {"values": {"train/loss": None}}, 1.5),
    Saved(["job_1", "job_2"], {"step": 7}, 1.5),
    Judging(3, {"job_1": 0.5, "job_2": None}),
    JobEnded("job_1", "succeeded", result={"metrics": {}}),
    JobEnded("job_1", "failed", reason={"code": "out_of_memory"}, of_the_pass=True),
    Finished(clean=True, peak_memory_bytes=3),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_as_it_was_sent(message):
    line = encode(message)

    assert decode(line) == message
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")


def test_no_kind_of_message_was_left_out_here():
    assert {type(message) for message in MESSAGES} == set(_TYPES.values())


def test_a_value_that_json_does_not_know_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        encode(Wrote("job_1", "metrics", {"values": {"train/loss": float("nan")}}, 1.5))
