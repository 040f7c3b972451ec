import pytest

from worker.protocol import Accepted, Ended, Ready, Renew, Run, Started, Stop, Wrote, decode, encode

MESSAGES = [
    Run(7, "job_1", {"name": "λ"}, "/runs/7", "/checkpoints/7", 40, 1000, "/sets", "cuda:1", 2, 30.0),
    Renew(30.0),
    Accepted(50),
    Stop(save=True),
    Ready({"torch": "2.9"}),
    Started("job_1"),
    Wrote("job_1", "metrics", {"values": {"train/loss": None}}, 1.5),
    Ended("job_1", "succeeded", clean=True, result={"metrics": {}}, peak_memory_bytes=3),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_as_it_was_sent(message):
    line = encode(message)

    assert decode(line) == message
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")


def test_a_value_that_json_does_not_know_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        encode(Wrote("job_1", "metrics", {"values": {"train/loss": float("nan")}}, 1.5))
