import dataclasses

import pytest

from jobs.store import Store
from jobs.store.base import Concern, StoreOptions


def test_every_part_of_the_store_is_a_concern() -> None:
    parts = Store.__bases__

    assert parts
    assert all(issubclass(part, Concern) for part in parts)


def test_no_two_parts_of_the_store_have_a_method_of_one_name() -> None:
    names = [name for part in Store.__bases__ for name in vars(part) if not name.startswith("__")]

    assert len(names) == len(set(names))


def test_the_options_cannot_be_changed_once_the_store_is_open() -> None:
    options = StoreOptions(
        lease_s=2,
        max_attempts=3,
        reconcile_interval_s=1,
        idempotency_ttl_s=86_400,
        priority_step_s=86_400,
        server_secret=b"s" * 32,
    )

    with pytest.raises(dataclasses.FrozenInstanceError):
        options.lease_s = 3  # type: ignore[misc]
