import pytest
import torch

from regcore import train
from regcore.loop.compiled import compiled


def test_a_compiled_forward_pass_trains_the_same(make_job, monkeypatch):
    # The backend that compiles to C++ takes a minute; this one traces alike, and runs what it traced.
    compile_ = torch.compile
    asked = []

    def traced(function):
        asked.append(function)
        return compile_(function, backend="eager")

    monkeypatch.setattr(torch, "compile", traced)
    records = []
    training = {"epochs": 1, "precision": "float64"}
    result = train(make_job(training=training | {"compile": True}), on_record=records.append)

    warnings = [record.body for record in records if record.kind == "warning"]
    plain = train(make_job(training=training))
    assert len(asked) == 1
    assert warnings == []
    assert result.metrics == pytest.approx(plain.metrics, rel=1e-9)


def test_a_compiler_that_fails_is_told_once_and_training_goes_on(make_job, monkeypatch):
    def broken(function):
        def call(*args, **kwargs):
            raise RuntimeError("no C++ compiler\nand a long trace")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    records = []
    result = train(make_job(training={"compile": True}), on_record=records.append)

    (warning,) = [record.body for record in records if record.kind == "warning"]
    assert warning["code"] == "compile_failed"
    assert "no C++ compiler" in warning["message"]
    assert "trace" not in warning["message"]
    assert result.weights_sha256 == train(make_job()).weights_sha256


def test_a_compiler_that_has_failed_is_not_asked_again(monkeypatch):
    asked = []

    def broken(function):
        def call(x):
            asked.append(x)
            raise RuntimeError("no C++ compiler")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    forward = compiled(lambda x: x + 1, lambda record: None)

    answers = [forward(1), forward(2), forward(3)]

    assert answers == [2, 3, 4]
    assert asked == [1]
