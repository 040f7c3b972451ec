import csv

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss, mean_squared_error

from regcore import load_predictor, make_plan, train
from regcore.data.rows import Batch
from regcore.errors import SpecError
from regcore.loop.group import Newcomer, train_group
from regcore.shapes import RowInfo
from regcore.study.sweep import plan_sweep
from regcore.tasks import Reconstruction

ROWS = torch.rand(1, 6, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
OUTPUTS = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

CODE = {"kind": "layers", "layers": [{"kind": "linear", "features": 6}, {"kind": "activation"}, {"kind": "linear"}]}
WATCHED = {"kind": "early_stopping", "patience": 1, "metric": "validation/reconstruction_error"}


@pytest.fixture
def make_autoencoder(make_job):
    def make(**changes):
        task = {"kind": "reconstruction"} | changes.pop("task", {})
        return make_job(**{"model": CODE, "optimizer": {"kind": "adam"}, "task": task} | changes)

    return make


@pytest.mark.parametrize("shape", [(3, 6, 6), (3, 6, 2, 3)], ids=["flat", "of the row's shape"])
def test_a_rows_loss_is_the_mean_square_of_its_numbers(shape: tuple[int, ...]) -> None:
    losses = Reconstruction("mse").row_losses(OUTPUTS.view(shape), ROWS)

    for k in range(3):
        expected = mean_squared_error(ROWS[0].flatten(1).T, OUTPUTS[k].T, multioutput="raw_values")
        assert losses[k].tolist() == pytest.approx(expected.tolist())


def test_binary_cross_entropy_is_sklearns_of_each_pixel() -> None:
    """Of soft targets: a pixel of 0.3 is three parts of 1 and seven of 0."""
    losses = Reconstruction("binary_cross_entropy").row_losses(OUTPUTS, ROWS)

    pixels, chances = ROWS[0, 0].flatten().tolist(), OUTPUTS[1, 0].sigmoid().tolist()
    parts = [
        log_loss([0, 1], [p, p], sample_weight=[1 - x, x], labels=[0, 1]) for x, p in zip(pixels, chances, strict=True)
    ]
    assert losses[1, 0].item() == pytest.approx(sum(parts) / 6)


def test_the_target_is_the_row_before_noise_is_put_on_it() -> None:
    batch = Reconstruction("mse").targets(Batch(ROWS, torch.zeros(1, 6)))

    noisy = batch.having(x=batch.x + 1)

    assert torch.equal(noisy.y, ROWS)


@pytest.mark.parametrize("loss", Reconstruction.losses)
def test_the_error_is_squared_whatever_the_loss(loss: str) -> None:
    task = Reconstruction(loss)

    errors = task.columns(OUTPUTS, ROWS, is_final=True)["errors"]

    answers = torch.from_numpy(task.answers(OUTPUTS[2], ROWS[0]))
    assert errors[2].tolist() == pytest.approx((answers - ROWS[0]).square().mean((1, 2)).tolist())


def test_the_mean_row_stays_away_from_impossible_probabilities() -> None:
    rows = torch.stack([torch.tensor([0.0, 0.25]), torch.tensor([0.0, 0.75])]).unsqueeze(0)
    batch = Batch(rows, rows)

    said, mean = Reconstruction("mse").constant([batch], 2, None)
    _, logits = Reconstruction("binary_cross_entropy").constant([batch], 2, None)

    assert said == {"kind": "mean_row"}
    assert mean.tolist() == [0.0, 0.5]
    assert torch.isfinite(logits).all()
    assert logits.sigmoid().tolist() == pytest.approx([0.0, 0.5], abs=1e-5)


@pytest.mark.parametrize(
    ("row", "said"), [(RowInfo((9,), tokens=50), "tokens"), (RowInfo((9, 2), varies=True), "one length")]
)
def test_rows_without_numbers_of_their_own_place_are_refused(row: RowInfo, said: str) -> None:
    assert said in (Reconstruction.row_problem(row) or "")


@pytest.mark.parametrize(
    ("changes", "pointer", "said"),
    [
        ({"task": {"class_weights": "balanced"}}, "/task/class_weights", "needs a classification"),
        ({"task": {"loss": "cross_entropy"}}, "/task/loss", "mse, half_mse, huber or binary_cross_entropy"),
        ({"data": {"standardize_target": True}}, "/data/standardize_target", "digits is a reconstruction"),
        (
            {"task": {"loss": "binary_cross_entropy"}, "data": {"standardize": True}},
            "/task/loss",
            "between 0 and 1, and those of digits are not",
        ),
        ({"regularizers": [{**WATCHED, "metric": "validation/accuracy"}]}, "/regularizers/0", "reconstruction_error"),
        ({"model": {"kind": "layers", "layers": [{"kind": "linear", "features": 5}]}}, "/model", "64 output"),
    ],
)
def test_what_does_not_fit_is_refused(make_autoencoder, changes, pointer: str, said: str) -> None:
    with pytest.raises(SpecError) as raised:
        make_plan(make_autoencoder(**changes))

    (error,) = raised.value.errors
    assert error.pointer == pointer
    assert said in error.message


def test_a_sweep_is_judged_by_the_error_and_by_nothing_of_classes(make_autoencoder) -> None:
    axes = [{"pointer": "/optimizer/learning_rate", "values": [0.1, 0.01]}]
    sweep = {"base": make_autoencoder(), "axes": axes, "objective": {"metric": "validation/reconstruction_error"}}

    assert plan_sweep(sweep).spec.objective.mode == "min"
    with pytest.raises(SpecError, match="for reconstruction; received validation/accuracy"):
        plan_sweep(sweep | {"objective": {"metric": "validation/accuracy"}})


def test_images_are_reconstructed_selected_by_their_error_and_saved(make_autoencoder, tmp_path) -> None:
    result = train(make_autoencoder(regularizers=[WATCHED], training={"epochs": 4}))
    result.save(tmp_path)

    test, errors = result.data.test, result.rows["test/reconstruction_error"]
    said = result.model(test.x).detach()
    assert errors == pytest.approx((said - test.x.flatten(1)).square().mean(1).numpy(), rel=1e-5)
    assert result.metrics["test/reconstruction_error"] == pytest.approx(errors.mean(), rel=1e-6)
    best = min(result.history, key=lambda row: row["values"]["validation/reconstruction_error"])
    assert result.selected_epoch == best["epoch"]
    pixels = (test.x * 16).numpy()
    predictor = load_predictor(tmp_path)
    assert predictor.predict(pixels).reshape(len(test), -1) == pytest.approx(said.numpy(), abs=1e-6)
    assert predictor.reconstruction_error(pixels) == pytest.approx(errors, rel=1e-4)
    assert "  reconstruction_error  train" in repr(result)
    baseline = result.report["baseline"]
    assert baseline["metrics"]["test"]["loss"] == pytest.approx(
        float((test.x - result.data.train.x.mean(0)).square().mean()), rel=1e-5
    )
    assert result.report["calibration"] is None
    assert "confusion_matrix" not in result.report


def test_a_member_of_three_ends_as_its_solo_run(make_autoencoder) -> None:
    jobs = [
        make_autoencoder(
            optimizer={"kind": "adam", "learning_rate": 0.01 * (k + 1)},
            task={"loss": "binary_cross_entropy"},
            training={"seed": k, "precision": "float64"},
        )
        for k in range(3)
    ]

    together = dict(train_group([Newcomer(str(k), make_plan(job)) for k, job in enumerate(jobs)]))

    for k, job in enumerate(jobs):
        alone = train(job)
        assert together[str(k)].metrics == pytest.approx(alone.metrics, rel=1e-8)
        torch.testing.assert_close(together[str(k)].model.state_dict(), alone.model.state_dict(), rtol=1e-8, atol=1e-8)


def test_a_table_needs_no_target_and_keeps_rows_without_one(make_autoencoder) -> None:
    table = {"size": [1.0 * k for k in range(40)], "weight": [k % 7 for k in range(40)], "label": [None, "a"] * 20}
    spec = make_autoencoder(data={"kind": "arrays"}, training={"batch_size": 8})

    whole = train(spec, table)
    named = train(spec | {"data": {"kind": "arrays", "target": "label"}}, table)

    splits = (named.data.train, named.data.validation, named.data.test)
    assert sum(map(len, splits)) == 40
    assert named.plan.input_shape == (2,)
    assert whole.plan.input_shape[0] > 2
    assert named.predict({"size": [3.0], "weight": [2], "label": ["a"]}).shape == (1, 2)


def test_rows_of_the_report_and_of_the_file_have_the_predictors_errors(make_autoencoder, tmp_path) -> None:
    result = train(make_autoencoder())
    result.save(tmp_path)

    images = load_digits().images
    told = [one for split in result.report["worst_rows"]["splits"].values() for one in split["rows"]]
    errors = load_predictor(tmp_path).reconstruction_error(images[[one["row"] - 1 for one in told]])
    assert [one["value"] for one in told] == pytest.approx(errors.tolist(), rel=1e-6)
    with (tmp_path / "reconstruction_errors.csv").open() as file:
        rows = list(csv.DictReader(file))
    test = [int(row["row"]) - 1 for row in rows if row["split"] == "test"]
    assert test == result.data.test.rows.tolist()
    assert len(rows) == sum(result.plan.num_rows.model_dump().values())
    written = [float(row["reconstruction_error"]) for row in rows if row["split"] == "test"]
    assert written == pytest.approx(result.predictor().reconstruction_error(images[test]).tolist(), rel=1e-6)
    spread = result.report["reconstruction_errors"]["splits"]["test"]
    assert spread["quantiles"]["p50"] == pytest.approx(np.median(written), rel=1e-6)
    assert sum(spread["counts"]) == len(test)
