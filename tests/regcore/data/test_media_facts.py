import json

import pytest
from pydantic import ValidationError

from regcore.data.media_facts import AudioFacts, ImageFacts, TextFacts

FACTS = [
    AudioFacts(max_duration_s=1.5, total_duration_s=2.0, sample_rates={8_000: 1, 16_000: 1}, durations_s={1: 1, 2: 1}),
    ImageFacts(heights=(1, 2), widths=(3, 4), all_grey=True),
    TextFacts(num_words=3, num_lowercase_words=2, num_characters=9, max_words=2, max_bytes=9),
]


@pytest.mark.parametrize("facts", FACTS, ids=lambda facts: type(facts).__name__)
def test_facts_come_back_from_json_as_they_were(facts):
    body = json.loads(json.dumps(facts.model_dump(mode="json")))

    assert type(facts).model_validate(body) == facts
    assert type(facts).model_validate_json(facts.model_dump_json(exclude_defaults=True)) == facts


@pytest.mark.parametrize("counts", [{"many": 1}, {1.5: 1}, [1], {1: "2"}])
def test_what_counts_nothing_is_refused(counts):
    with pytest.raises(ValidationError):
        AudioFacts(max_duration_s=1.0, total_duration_s=1.0, sample_rates=counts, durations_s={})
