import pytest

from regcore.data.chosen_media import media_column
from regcore.data.media_facts import AudioFacts, ImageFacts
from regcore.data.tables.facts import ColumnFacts, Reading, TableFacts
from regcore.spec.data import ArraysData

FACTS = {
    "image": ImageFacts(heights=(1, 2), widths=(3, 4), all_grey=True),
    "audio": AudioFacts(max_duration_s=1.0, total_duration_s=1.0, sample_rates={8_000: 1}, durations_s={1: 1}),
}


def table(media):
    column = ColumnFacts(
        name="a/b", type=media, readings={media: Reading(num_missing=0, num_distinct=1)}, values=None, examples=[]
    ).model_copy(update={media: FACTS[media]})
    return TableFacts(format="zip", modality=media, num_rows=1, columns=[column])


@pytest.mark.parametrize("media", FACTS)
def test_the_column_is_found_and_may_not_be_left_out_or_read_as_something_else(media):
    errors = []

    assert media_column(table(media), ArraysData(kind="arrays"), media, errors).name == "a/b"
    assert errors == []

    media_column(table(media), ArraysData(kind="arrays", exclude=["a/b"], types={"a/b": "number"}), media, errors)
    assert [error.pointer for error in errors] == ["/data/exclude/0", "/data/types/a~1b"]


def test_a_set_of_another_modality_is_refused():
    errors = []

    assert media_column(table("audio"), ArraysData(kind="arrays"), "image", errors) is None
    assert [(error.pointer, error.code) for error in errors] == [("/data/features/kind", "wrong_modality")]
