import pytest
from pydantic import TypeAdapter, ValidationError

from regcore.data.features import AnyFeatures

FEATURES = TypeAdapter(AnyFeatures)


@pytest.mark.parametrize(
    ("kind", "defaults"),
    [
        ("table", {"missing": "mean", "max_categories": 100}),
        ("image", {"size": [32, 32], "channels": 3}),
        (
            "text",
            {"column": None, "tokenizer": "words", "vocabulary_size": 20_000, "max_tokens": 256, "lowercase": True},
        ),
        ("audio", {"sample_rate": 16_000, "num_mels": 64, "window_s": 0.025, "hop_s": 0.01, "max_duration_s": 10}),
    ],
)
def test_each_kind_has_the_contracts_defaults(kind, defaults):
    assert FEATURES.validate_python({"kind": kind}).model_dump() == {"kind": kind} | defaults


@pytest.mark.parametrize(
    "wrong", [{"kind": "video"}, {"kind": "image", "size": [0, 32]}, {"kind": "image", "channels": 4}]
)
def test_what_is_no_such_kind_or_size_is_refused(wrong):
    with pytest.raises(ValidationError):
        FEATURES.validate_python(wrong)
