from api.catalogue.schemas import CatalogueEntryView
from regcore.spec import FAMILIES, catalogue


def test_an_entry_is_shown_whole_and_by_the_same_names() -> None:
    entries = [entry.model_dump(mode="json", by_alias=True) for family in FAMILIES for entry in catalogue(family)]

    shown = [CatalogueEntryView.model_validate(entry).model_dump(mode="json", by_alias=True) for entry in entries]

    assert shown == entries
