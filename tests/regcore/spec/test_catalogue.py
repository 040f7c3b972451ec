import jsonschema
import pytest

from regcore import make_plan, parse_spec, train
from regcore.spec import FAMILIES, catalogue

ENTRIES = [(family, entry) for family in FAMILIES for entry in catalogue(family)]
IDS = [f"{family}/{entry.kind}" for family, entry in ENTRIES]


def test_the_families_are_the_contracts():
    assert set(FAMILIES) == {"regularizers", "models", "layers", "optimizers", "builtin-datasets"}


@pytest.mark.parametrize(
    ("family", "kinds"),
    [
        ("regularizers", {"l1", "l2", "weight_decay", "elastic_net", "dropout", "early_stopping"}),
        ("models", {"layers", "linear", "mlp"}),
        ("layers", {"linear", "activation", "dropout", "flatten"}),
        ("optimizers", {"sgd", "adam", "adamw", "rmsprop"}),
        ("builtin-datasets", {"digits", "mnist-5k", "breast-cancer", "wine", "diabetes"}),
    ],
)
def test_each_kind_is_there_once(family, kinds):
    listed = [entry.kind for entry in catalogue(family)]

    assert kinds <= set(listed)
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(("family", "entry"), ENTRIES, ids=IDS)
def test_every_entry_says_what_it_is_and_where_it_is_from(family, entry):
    assert entry.summary.endswith(".")
    assert entry.formula
    assert entry.source


def nested(layers):
    """Layers, each followed by those inside it."""
    for layer in layers:
        yield layer
        yield from nested(layer.get("layers", []))


@pytest.mark.parametrize(("family", "entry"), ENTRIES, ids=IDS)
def test_every_schema_is_valid_and_accepts_its_example(family, entry):
    jsonschema.Draft202012Validator.check_schema(entry.schema_)

    example = {
        "regularizers": lambda job: job["regularizers"][0],
        "models": lambda job: job["model"],
        "layers": lambda job: next(layer for layer in nested(job["model"]["layers"]) if layer["kind"] == entry.kind),
        "optimizers": lambda job: job["optimizer"],
        "builtin-datasets": lambda job: job["data"],
    }[family](entry.example_job)

    jsonschema.validate(example, entry.schema_)
    assert set(example) <= set(entry.schema_["properties"])


@pytest.mark.parametrize(("family", "entry"), ENTRIES, ids=IDS)
def test_every_schema_refuses_a_field_that_it_does_not_know(family, entry):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"kind": entry.kind, "no_such_field": 1}, entry.schema_)


def test_an_entrys_json_calls_the_schema_schema():
    assert set(catalogue("models")[0].model_dump(mode="json")) == {
        "kind",
        "summary",
        "formula",
        "source",
        "schema",
        "example_job",
    }


@pytest.mark.parametrize(("family", "entry"), ENTRIES, ids=IDS)
def test_every_example_job_trains_offline(family, entry, tmp_path):
    result = train(entry.example_job, data_dir=tmp_path)

    assert result.metrics["train/loss"] < result.history[0]["values"]["train/loss"] * 1.01
    assert result.metrics["test/loss"] is not None
    assert len(result.weights_sha256) == 64


@pytest.mark.parametrize(("family", "entry"), ENTRIES, ids=IDS)
def test_a_resolved_spec_resubmitted_is_itself(family, entry):
    resolved = make_plan(parse_spec(entry.example_job)).resolved_spec

    again = make_plan(parse_spec(resolved.model_dump(mode="json"))).resolved_spec

    assert again == resolved
