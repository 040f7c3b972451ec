"""Facts of media come back from the JSON that the reader's process and the store hold them in."""

import json

from regcore.data.media_facts import AudioFacts


def test_counts_by_rate_and_duration_come_back_from_json() -> None:
    facts = AudioFacts(max_duration_s=1.5, total_duration_s=2.0, sample_rates={8000: 2}, durations_s={1: 1, 2: 1})

    assert AudioFacts.model_validate(json.loads(facts.model_dump_json())) == facts
