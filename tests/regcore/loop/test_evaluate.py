import pytest
import torch
from sklearn.metrics import roc_auc_score

from regcore import make_plan, parse_spec
from regcore.data.prepared import Split
from regcore.loop import evaluate as evaluate_module
from regcore.loop.evaluate import chunk_rows, evaluate, measure, member_evaluation, needs_all
from regcore.loop.network import EVAL_CHUNK_ROWS, StackedNetwork
from regcore.tasks import Classification, Reconstruction

TASK = Classification("cross_entropy", 10)


@pytest.fixture
def make_network(make_job):
    def make(num_members=1, **changes):
        plan = make_plan(parse_spec(make_job(**changes)))
        return StackedNetwork([plan] * num_members, dtype=torch.float64, device=torch.device("cpu"), autocast=False)

    return make


@pytest.fixture
def split():
    return Split(torch.rand(37, 1, 8, 8, dtype=torch.float64), torch.randint(10, (37,)))


class CountedRows:
    """A split of which only rows by number can be had, as of a file; it notes how many are asked for at once."""

    def __init__(self, split: Split) -> None:
        self._split = split
        self.asked: list[int] = []
        self.info = split.info

    def __len__(self) -> int:
        return len(self._split)

    def fetch(self, numbers):
        self.asked.append(numbers.numel())
        return self._split.fetch(numbers)


def test_further_metrics_are_measured_for_the_members_that_ask(make_network, split) -> None:
    network = make_network(2)

    first, second = measure(evaluate(network, split, TASK, is_final=True), TASK, [[], ["auroc", "loss"]])

    assert set(first) == {"loss", "accuracy", "balanced_accuracy"}
    shares = network.module(1)(split.x).softmax(-1).detach()
    present = split.y.unique().tolist()
    scores = [roc_auc_score(split.y == k, shares[:, k]) for k in present]
    assert second["auroc"] == pytest.approx(sum(scores) / len(scores))


@pytest.mark.parametrize(
    ("also", "needed"), [(None, False), ([["accuracy"], []], False), ([["loss"], ["log_loss"]], True)]
)
def test_outputs_are_kept_for_metrics_that_no_record_has(also, needed: bool) -> None:
    assert needs_all(TASK, also) is needed


def test_evaluation_is_without_dropout_and_over_every_row(make_network, split) -> None:
    network = make_network(regularizers=[{"kind": "dropout", "p": 0.5}])

    evaluation = evaluate(network, split, TASK)

    expected = torch.nn.functional.cross_entropy(network.module(0)(split.x), split.y, reduction="none")
    torch.testing.assert_close(evaluation.losses[0], expected.detach())


def test_rows_are_read_in_chunks_and_evaluated_as_at_once(make_network, split, monkeypatch) -> None:
    network, rows = make_network(3), CountedRows(split)
    whole = evaluate(network, split, TASK, is_final=True)
    monkeypatch.setattr(evaluate_module, "EVAL_CHUNK_ROWS", 30)

    evaluation = evaluate(network, rows, TASK, is_final=True)

    assert rows.asked == [10, 10, 10, 7]
    torch.testing.assert_close(evaluation.losses, whole.losses)
    for k in range(3):
        ours, theirs = (member_evaluation(one, TASK, k).values() for one in (evaluation, whole))
        assert ours == pytest.approx(theirs)


def test_wide_layers_get_fewer_rows_at_once(make_network, monkeypatch) -> None:
    monkeypatch.setattr(evaluate_module, "MAX_CHUNK_VALUES", 640)

    assert chunk_rows(make_network()) == 10
    assert chunk_rows(make_network(model={"kind": "mlp", "hidden": [160]})) == 4
    assert chunk_rows(make_network(5, model={"kind": "mlp", "hidden": [160]})) == 1


def test_a_small_network_gets_as_many_rows_as_its_members_leave(make_network) -> None:
    assert chunk_rows(make_network(4)) == EVAL_CHUNK_ROWS // 4


def test_no_row_of_a_reconstruction_is_kept(make_network, split) -> None:
    network = make_network(2, task={"kind": "reconstruction"}, model={"kind": "linear"})

    evaluation = evaluate(network, split, Reconstruction("mse"), is_final=True)

    assert {name: tuple(column.shape) for name, column in evaluation.columns.items()} == {"errors": (2, 37)}


def test_activations_are_shown_chunk_by_chunk(make_network, split, monkeypatch) -> None:
    monkeypatch.setattr(evaluate_module, "EVAL_CHUNK_ROWS", 20)
    network, seen = make_network(), []

    evaluate(network, split, TASK, lambda layer, activations, lengths: seen.append((layer, activations)))

    assert {layer for layer, _ in seen} == {"linear1"}
    rows = torch.cat([activations for _, activations in seen], dim=1)
    torch.testing.assert_close(rows[0], network.module(0)[:-1](split.x).detach())
