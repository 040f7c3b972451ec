from functools import partial

import pytest
import torch

from regcore import train
from regcore.loop.compiled import compiled


def test_a_compiled_step_trains_the_same(make_job, monkeypatch):
    # The backend that compiles to C++ takes a minute; this one traces alike, and runs what it traced.
    compile_ = torch.compile
    asked = []

    def traced(function, **options):
        asked.append(function)
        return compile_(function, backend="eager", **options)

    monkeypatch.setattr(torch, "compile", traced)
    records = []
    training = {"epochs": 1, "precision": "float64"}
    result = train(make_job(training=training | {"compile": True}), on_record=records.append)

    warnings = [record.body for record in records if record.kind == "warning"]
    plain = train(make_job(training=training))
    assert len(asked) == 1
    assert warnings == []
    assert result.metrics == pytest.approx(plain.metrics, rel=1e-9)


def test_every_pass_is_compiled_however_many_came_before(make_job, monkeypatch):
    compile_ = torch.compile
    graphs = []

    def traced(function, **options):
        def note(graph, inputs):
            graphs.append(graph)
            return graph

        return compile_(function, backend=note, **options)

    monkeypatch.setattr(torch, "compile", traced)
    num_graphs = []
    with torch._dynamo.config.patch(recompile_limit=2):
        for depth in range(1, 6):
            train(make_job(model={"hidden": [4] * depth}, training={"epochs": 1, "batch_size": 50, "compile": True}))
            num_graphs.append(len(graphs))

    assert num_graphs == [1, 2, 3, 4, 5]


def test_the_compilers_own_limit_is_told_too(monkeypatch):
    records = []
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    forward = compiled(lambda x: x + 1, records.append)

    with torch._dynamo.config.patch(recompile_limit=2):
        answers = [forward(torch.zeros(size)).tolist() for size in range(2, 6)]

    assert answers == [[1.0] * size for size in range(2, 6)]
    (warning,) = [record.body for record in records]
    assert warning["code"] == "compile_failed"
    assert "recompile_limit" in warning["message"]


def test_a_compiler_that_fails_is_told_once_and_training_goes_on(make_job, monkeypatch):
    def broken(function, **options):
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

    def broken(function, **options):
        def call(x):
            asked.append(x)
            raise RuntimeError("no C++ compiler")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    forward = compiled(lambda x: x + 1, lambda record: None)

    answers = [forward(1), forward(2), forward(3)]

    assert answers == [2, 3, 4]
    assert asked == [1]


@pytest.mark.filterwarnings("ignore:dynamo_pgo force disabled")
def test_without_a_compiler_on_the_machine_training_goes_on(make_job):
    records = []
    with torch._inductor.config.patch({"cpp.cxx": ("no-such-compiler",), "force_disable_caches": True}):
        train(make_job(training={"epochs": 1, "compile": True}), on_record=records.append)

    (warning,) = [record.body for record in records if record.kind == "warning"]
    assert warning["code"] == "compile_failed"
    assert "no-such-compiler" in warning["message"]


def test_layers_that_draw_are_told_of_by_name_and_not_compiled(make_job, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **options: pytest.fail("compiled"))
    records = []
    dropout = [{"kind": "dropout", "p": 0.5}]
    result = train(make_job(regularizers=dropout, training={"compile": True}), on_record=records.append)

    (warning,) = [record.body for record in records if record.kind == "warning"]
    assert "such as dropout1" in warning["message"]
    assert result.weights_sha256 == train(make_job(regularizers=dropout)).weights_sha256
