import pytest
import torch

from regcore.data.load import load
from regcore.data.prepare_known import prepare
from regcore.spec import JobSpec, parse_spec


def spec(name: str, *, precision: str = "float32", task: str = "auto", **data: object) -> JobSpec:
    return parse_spec(
        {
            "data": {"kind": "builtin", "name": name, **data},
            "model": {"kind": "linear"},
            "task": {"kind": task},
            "training": {"precision": precision},
        }
    )


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("float32", torch.float32), ("float64", torch.float64), ("bfloat16", torch.float32)],
)
def test_rows_have_the_plans_precision(precision, dtype):
    prepared = prepare(spec("diabetes", precision=precision))

    assert prepared.train.x.dtype == prepared.train.y.dtype == dtype


def test_statistics_come_from_the_train_rows_alone():
    prepared = prepare(spec("wine", precision="float64"))

    torch.testing.assert_close(prepared.train.x.mean(dim=0), torch.zeros(13, dtype=torch.float64))
    assert prepared.test is not None
    assert prepared.test.x.mean(dim=0).abs().min() > 1e-6


def test_targets_are_scaled_by_the_train_rows_alone():
    raw, scaled = (prepare(spec("diabetes", precision="float64", standardize_target=on)) for on in (False, True))

    mean, scale = raw.train.y.mean().item(), raw.train.y.std(correction=0).item()
    assert raw.target_scaling is None
    assert (scaled.target_scaling.mean, scaled.target_scaling.scale) == (pytest.approx(mean), pytest.approx(scale))
    for name in ("train", "validation", "test"):
        torch.testing.assert_close(getattr(scaled, name).y, (getattr(raw, name).y - mean) / scale)


def test_labels_are_never_scaled():
    assert prepare(spec("digits")).target_scaling is None


def test_pixels_of_a_float64_run_are_divided_in_float64():
    prepared = prepare(spec("mnist-5k", precision="float64"))

    levels = (prepared.train.x * 255).unique()
    assert torch.equal(prepared.train.x.unique(), levels.round() / 255)


def test_images_keep_their_shape_and_labels_are_whole_numbers():
    prepared = prepare(spec("mnist-5k"))

    assert prepared.validation is not None
    assert prepared.validation.x.shape == (800, 1, 28, 28)
    assert prepared.validation.y.dtype == torch.int64
    assert prepared.classes == tuple("0123456789")


def test_a_split_without_rows_is_none():
    prepared = prepare(spec("diabetes", test_fraction=0, validation_fraction=0))

    assert (prepared.validation, prepared.test) == (None, None)
    assert len(prepared.train) == 442


def test_regression_on_labels_makes_them_numbers():
    prepared = prepare(spec("digits", task="regression"))

    assert prepared.train.y.dtype == torch.float32
    assert prepared.classes is None


def test_no_row_is_lost_or_mixed_up():
    raw = load(spec("diabetes").data)

    prepared = prepare(spec("diabetes", precision="float64", standardize=False, standardize_target=False))

    assert prepared.validation is not None
    assert prepared.test is not None
    splits = (prepared.train, prepared.validation, prepared.test)
    together = torch.cat([torch.cat([split.x, split.y[:, None]], dim=1) for split in splits])
    expected = [(*x, y) for x, y in zip(raw.x.tolist(), raw.y.tolist(), strict=True)]
    assert sorted(map(tuple, together.tolist())) == sorted(expected)
