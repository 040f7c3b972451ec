from types import SimpleNamespace

import pytest

from regcore.data.inputs import STANDARDIZED, standardizes


@pytest.mark.parametrize("modality", ["table", "image", "text", "audio"])
@pytest.mark.parametrize("said", [None, True, False])
def test_numbers_are_standardized_as_the_spec_says_else_by_modality(modality, said):
    inputs, data = SimpleNamespace(modality=modality), SimpleNamespace(standardize=said)

    assert standardizes(inputs, data) is (modality in STANDARDIZED if said is None else said)
