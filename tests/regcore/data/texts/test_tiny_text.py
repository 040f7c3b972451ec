from types import SimpleNamespace

from regcore.data.catalogue import BUILTIN
from regcore.data.load import load
from regcore.data.texts.facts import facts_of_texts
from regcore.data.texts.tiny_text import TINY_TEXT_INPUTS


def test_the_facts_are_those_of_the_rows():
    raw = load(SimpleNamespace(kind="builtin", name="tiny-text"))

    assert facts_of_texts(raw.x) == TINY_TEXT_INPUTS.facts
    assert len(set(raw.x)) == len(raw.x)


def test_the_table_of_known_sets_says_what_the_inputs_give():
    info, row = BUILTIN["tiny-text"], TINY_TEXT_INPUTS.row

    assert (info.feature_shape, info.tokens, info.varies) == (row.shape, row.tokens, row.varies)
    assert info.columns == TINY_TEXT_INPUTS.names
