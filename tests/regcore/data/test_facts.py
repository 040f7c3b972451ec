import pytest

from regcore.data.facts import known_facts
from regcore.errors import SpecError
from regcore.plan import make_plan
from regcore.spec import parse_spec

MODEL = {"kind": "linear"}


def test_the_facts_of_a_known_set_need_no_row_of_it():
    facts = known_facts(parse_spec({"data": {"kind": "torchvision", "name": "CIFAR10"}, "model": MODEL}))

    assert (facts.name, facts.modality, facts.feature_shape) == ("CIFAR10", "image", (3, 32, 32))
    assert (facts.num_rows, facts.num_test_rows, len(facts.classes)) == (50_000, 10_000, 10)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"kind": "file", "path": "rows.csv", "target": "y"}, "regcore submit"),
        ({"kind": "dataset", "id": "ds_" + "0" * 26, "target": "y"}, "submit this spec to it"),
        ({"kind": "arrays"}, r"regcore.train\(spec, x, y\)"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_other_data_must_be_read_first_and_the_error_says_where(data, said):
    with pytest.raises(SpecError, match=said) as caught:
        make_plan({"data": data, "model": MODEL})

    assert [error.pointer for error in caught.value.errors] == ["/data/kind"]
