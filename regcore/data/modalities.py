"""Which inputs a spec takes from a set, by modality."""

from collections.abc import Callable
from typing import Any, Final

from regcore.data.images.inputs import choose_images
from regcore.data.inputs import Inputs
from regcore.data.sounds.inputs import choose_sounds
from regcore.data.tables.facts import Modality, TableFacts
from regcore.data.tables.inputs import choose_table
from regcore.data.texts.inputs import choose_texts
from regcore.errors import FieldError

ChooseInputs = Callable[[TableFacts, Any, str | None, list[FieldError]], Inputs | None]
"""From the facts of a set, a spec's `data` and its target's column to its inputs. What is wrong is added to the errors;
None if there can be none."""

_CHOOSERS: Final[dict[Modality, ChooseInputs]] = {
    "table": choose_table,
    "text": choose_texts,
    "image": choose_images,
    "audio": choose_sounds,
}


def choose_inputs(table: TableFacts, data: Any, target: str | None, errors: list[FieldError]) -> Inputs | None:
    """The inputs of a spec: as its `features` say, else by what the set is."""
    modality = table.modality if data.features is None else data.features.kind
    return _CHOOSERS[modality](table, data, target, errors)
