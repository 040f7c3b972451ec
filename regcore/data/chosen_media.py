"""Which column of a set holds its images or sounds, if a spec leaves it to be one."""

from typing import Any, Final, Literal

from regcore.data.tables.facts import ColumnFacts, TableFacts
from regcore.errors import FieldError, json_pointer

_WORDS: Final = {"image": "images", "audio": "sounds"}


def media_column(
    table: TableFacts, data: Any, media: Literal["image", "audio"], errors: list[FieldError]
) -> ColumnFacts | None:
    """The column; None if the set has none.

    Args:
        table: The facts of the set.
        data: A spec's `data`.
        media: What the column is to hold.
        errors: Takes what is wrong: the set is of another modality, or the column is excluded, or given another type.
    """
    words = _WORDS[media]
    column = next((one for one in table.columns if getattr(one, media) is not None), None)
    if column is None:
        message = f"data.features.kind {media} needs a set of {words}, and this is one of modality {table.modality}."
        errors.append(FieldError("/data/features/kind", "wrong_modality", f"{message} Leave data.features out."))
        return None
    if column.name in data.exclude:
        message = f"{column.name!r} holds the {words}, and without it there are no features. Leave it out of exclude."
        errors.append(FieldError(f"/data/exclude/{data.exclude.index(column.name)}", "no_features", message))
    if data.types.get(column.name) is not None:
        message = f"{column.name!r} holds {words}, which are read as nothing else. Leave it out of data.types."
        errors.append(FieldError(json_pointer(["data", "types", column.name]), "type_mismatch", message))
    return column
