"""What holds for every task: the registry is the list."""

import numpy as np
import pytest
import torch

from regcore.data.prepared import Split
from regcore.data.preprocessing import TargetScaling
from regcore.data.rows import Batch, chunks
from regcore.kinds import PluginError
from regcore.loop.evaluate import collect, measure, member_evaluation
from regcore.metrics import LOSS, Metric
from regcore.shapes import RowInfo
from regcore.spec.kinds import METRICS, TASKS
from regcore.tasks import Task, known_metrics

ROW = RowInfo((1, 3, 4))
NUM_MEMBERS, NUM_ROWS = 3, 40
CASES = [(kind, loss) for kind, task in TASKS.items() for loss in task.losses]


class Judged:
    """A task of three members on 40 random rows, with outputs that a network could give."""

    def __init__(self, kind: str, loss: str) -> None:
        torch.manual_seed(3)
        self.num_classes = 2 if loss == "binary_cross_entropy" else 3
        scaling = TargetScaling(5.0, 2.0) if TASKS[kind].has_numbers else None
        self.task = TASKS[kind](loss, self.num_classes, None, scaling)
        self.num_outputs = self.task.num_outputs(ROW, self.num_classes, loss)
        has_classes = self.task.has_classes
        y = torch.randint(self.num_classes, (NUM_ROWS,)) if has_classes else torch.randn(NUM_ROWS).double()
        self.split = Split(torch.rand(NUM_ROWS, *ROW.shape, dtype=torch.float64), y)
        self.outputs = torch.randn(NUM_MEMBERS, NUM_ROWS, self.num_outputs, dtype=torch.float64)

    def evaluated(self, size: int = NUM_ROWS, *, is_final: bool = True):
        given = iter(torch.split(self.outputs, size, dim=1))
        batches = chunks(self.split, size, torch.device("cpu"))
        return collect(batches, NUM_ROWS, self.task, lambda batch: next(given), is_final=is_final)


@pytest.fixture(params=CASES, ids=[f"{kind}-{loss}" for kind, loss in CASES])
def judged(request) -> Judged:
    return Judged(*request.param)


def test_each_row_has_a_loss_whose_gradient_reaches_the_outputs(judged) -> None:
    outputs = judged.outputs.requires_grad_()
    batch = judged.task.targets(judged.split.fetch(torch.arange(NUM_ROWS).unsqueeze(0)))

    losses = judged.task.row_losses(outputs, batch.y)
    losses[1, 7].backward()

    assert losses.shape == (NUM_MEMBERS, NUM_ROWS)
    assert losses.dtype == outputs.dtype
    reached = outputs.grad.flatten(2).abs().sum(2).nonzero().tolist()
    assert reached == [[1, 7]]


def test_chunks_are_measured_as_the_whole(judged) -> None:
    whole, parts = judged.evaluated(), judged.evaluated(7)

    torch.testing.assert_close(parts.losses, whole.losses, rtol=1e-14, atol=1e-14)
    assert parts.columns.keys() == whole.columns.keys()
    for name, column in parts.columns.items():
        torch.testing.assert_close(column, whole.columns[name], rtol=1e-14, atol=1e-14)


def test_a_member_has_the_same_metrics_in_every_record_and_at_the_end(judged) -> None:
    records = measure(judged.evaluated(is_final=False), judged.task)

    evaluation = judged.evaluated()
    for k, record in enumerate(records):
        at_the_end = member_evaluation(evaluation, judged.task, k).values()
        assert list(at_the_end) == list(judged.task.metrics_with(judged.num_classes))
        assert set(record) == {name for name in at_the_end if METRICS[name].in_every_record}
        assert record == pytest.approx({name: at_the_end[name] for name in record}, rel=1e-12)


def test_no_record_keeps_more_than_a_few_numbers_of_a_row(judged) -> None:
    columns = judged.evaluated(is_final=False).columns

    for column in columns.values():
        assert column.shape in {(NUM_MEMBERS, NUM_ROWS), (1, NUM_ROWS)}


def test_the_constant_is_no_worse_than_others_that_always_say_the_same(judged) -> None:
    batches = [judged.task.targets(batch) for batch in chunks(judged.split, 9, torch.device("cpu"))]
    said, constant = judged.task.constant(batches, judged.num_outputs, ["a", "b", "c"][: judged.num_classes])

    def mean_loss(outputs: torch.Tensor) -> float:
        whole = judged.task.targets(judged.split.fetch(torch.arange(NUM_ROWS).unsqueeze(0)))
        return float(judged.task.row_losses(outputs.expand(1, NUM_ROWS, -1), whole.y).mean())

    assert said["kind"] in ("majority_class", "mean", "mean_row")
    if judged.task.loss != "huber":  # whose minimum is no mean
        for _ in range(5):
            assert mean_loss(constant) < mean_loss(constant + 0.3 * torch.randn(judged.num_outputs))


def test_answers_are_one_for_each_row_in_double_precision_or_whole_numbers(judged) -> None:
    answers = judged.task.answers(judged.outputs[0], judged.split.x)

    assert answers.shape in {(NUM_ROWS,), (NUM_ROWS, *ROW.shape)}
    assert answers.dtype in (np.float64, np.int64)


@pytest.mark.parametrize("kind", TASKS)
def test_what_is_said_of_a_task_is_complete(kind: str) -> None:
    task = TASKS[kind]

    assert next(iter(task.metrics)) == "loss"
    assert set(task.headlines) <= set(task.metrics)
    assert all(task.metrics[name].title and task.metrics[name].in_every_record for name in task.headlines)
    assert task.summary.endswith(".")
    assert sum((task.has_classes, task.has_numbers, task.gives_rows)) == 1
    assert (task.num_outputs(ROW, 3, task.losses[0]),) in task.output_shapes(ROW, task.num_outputs(ROW, 3, "mse"))


class Plain(Task):
    """What a plugin may leave out."""

    def row_losses(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (outputs.squeeze(-1) - y).abs()


def test_a_task_with_losses_alone_is_measured_by_its_loss() -> None:
    task, outputs = Plain("absolute"), torch.zeros(2, 5, 1)
    batch = Batch(torch.zeros(1, 5, 2), torch.arange(5.0).unsqueeze(0))

    evaluation = collect(iter([batch]), 5, task, lambda _: outputs, is_final=True)

    assert measure(evaluation, task) == [{"loss": 2.0}] * 2
    assert member_evaluation(evaluation, task, 1).values() == {"loss": 2.0}
    assert task.constant([batch], 1, None) is None
    assert task.described({}, None) == {"calibration": None}
    assert task.metrics_with() == ("loss",)
    assert task.num_kept(100) == 1
    assert (task.loss_problem("absolute", 0), task.row_problem(ROW)) == (None, None)


def test_two_tasks_may_not_mean_opposite_things_by_one_name(monkeypatch) -> None:
    contrary = type("Contrary", (Task,), {"kind": "contrary", "metrics": {"loss": LOSS, "accuracy": Metric("min", "")}})
    monkeypatch.setattr("regcore.tasks.base.kinds_of", lambda base: {**TASKS, "contrary": contrary})

    with pytest.raises(PluginError, match="metric 'accuracy'"):
        known_metrics()
