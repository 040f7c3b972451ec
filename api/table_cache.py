"""Facts of data sets that were read before: those of a wide table are large, and they never change."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from regcore.data.tables.facts import TableFacts

MAX_ENTRIES = 500_000
"""Columns and their distinct values, of all tables together: some 100 MB. The tables that were asked for last are
kept, and one at least."""


class TableCache:
    """The facts of data sets by id, shared by all requests of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, TableFacts] = OrderedDict()

    def find(self, dataset_id: str, load: Callable[[], Mapping[str, Any]]) -> TableFacts:
        """Return the facts of a data set, which ``load`` reads if they are not kept."""
        with self._lock:
            if dataset_id in self._kept:
                self._kept.move_to_end(dataset_id)
                return self._kept[dataset_id]
        facts = TableFacts.model_validate(load())
        with self._lock:
            self._kept[dataset_id] = facts
            self._drop_oldest()
        return facts

    def __len__(self) -> int:
        return len(self._kept)

    def _drop_oldest(self) -> None:
        num_entries = sum(map(_num_entries, self._kept.values()))
        while num_entries > MAX_ENTRIES and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            num_entries -= _num_entries(oldest)


def _num_entries(facts: TableFacts) -> int:
    return sum(1 + len(column.values or ()) for column in facts.columns)
