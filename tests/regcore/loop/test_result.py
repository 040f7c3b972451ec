import hashlib
import json

import pandas as pd
import pytest
import torch

from regcore import train


@pytest.fixture(scope="module")
def result(make_job):
    return train(make_job(regularizers=[{"kind": "l1", "strength": 0.02}, {"kind": "dropout", "p": 0.2}]))


def test_the_summary_is_the_jobs_result(result):
    summary = json.loads(json.dumps(result.summary(), allow_nan=False))

    assert set(summary) == {
        "metrics",
        "selected_epoch",
        "generalization_gap",
        "sparsity",
        "norms",
        "kkt_residual",
        "l1_max",
        "num_parameters",
        "weights_sha256",
        "exact",
        "fused_with",
    }
    assert summary["exact"] is True
    assert summary["fused_with"] == []
    assert summary["num_parameters"] == sum(p.numel() for p in result.model.parameters())


def test_the_hash_is_that_of_the_file_that_is_saved(result, tmp_path):
    result.save(tmp_path / "artifacts")

    weights = (tmp_path / "artifacts" / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == result.weights_sha256


def test_a_folder_may_be_given_as_text(result, tmp_path):
    result.save(str(tmp_path))

    assert (tmp_path / "report.json").is_file()


def test_the_model_is_in_evaluation_mode_on_the_cpu(result):
    assert not any(module.training for module in result.model.modules())
    assert {parameter.device.type for parameter in result.model.parameters()} == {"cpu"}


def test_its_metrics_are_those_of_its_model_on_its_data(result):
    for name in ("train", "validation", "test"):
        split = getattr(result.data, name)
        said = result.model(split.x)

        assert result.metrics[f"{name}/accuracy"] == (said.argmax(-1) == split.y).double().mean().item()
        loss = torch.nn.functional.cross_entropy(said, split.y).item()
        assert result.metrics[f"{name}/loss"] == pytest.approx(loss, rel=1e-5)


def test_its_sparsity_is_the_share_of_zero_weights(result):
    weights = torch.cat([p.detach().flatten() for p in result.model.parameters() if p.dim() > 1])

    assert 0 < result.sparsity == pytest.approx((weights == 0).double().mean().item())


def test_it_is_shown_in_ten_lines_of_ascii(result):
    lines = repr(result).splitlines()

    assert len(lines) == 10
    assert max(map(len, lines)) <= 100
    assert repr(result).isascii()
    assert "classification" in lines[0]
    assert "l1, dropout" in repr(result)
    assert f"test {result.metrics['test/accuracy']:.4g}" in repr(result)


def test_a_result_on_own_data_names_them(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,y\n" + "".join(f"{k / 7},{'yes' if k % 2 else 'no'}\n" for k in range(60)))
    spec = {"model": {"kind": "linear"}, "training": {"epochs": 1, "batch_size": 8}, "resources": {"device": "cpu"}}

    of_file = train({**spec, "data": {"kind": "file", "path": str(path), "target": "y"}})
    of_arrays = train(spec, [[float(k)] for k in range(60)], [k % 2 for k in range(60)])

    assert "rows.csv: 38 train, 10 validation, 12 test" in repr(of_file)
    assert "arrays: 38 train, 10 validation, 12 test" in repr(of_arrays)


def test_what_was_unusual_in_the_rows_of_predict_is_kept():
    frame = pd.DataFrame({"colour": ["red", "blue"] * 20, "size": range(40)})
    result = train(
        {"model": {"kind": "linear"}, "training": {"epochs": 1}},
        frame,
        ["yes" if size > 20 else "no" for size in range(40)],
    )

    result.predict([{"colour": "green", "size": 3}])

    assert any("green" in note for note in result.predictor().notes)
