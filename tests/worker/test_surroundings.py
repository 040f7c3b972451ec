from worker.surroundings import Surroundings


def test_a_worker_begins_with_tables_in_its_data_directory_and_does_not_drain(surroundings: Surroundings) -> None:
    settings = surroundings.settings

    assert surroundings.tables._folder == settings.data_dir / "tables"
    assert surroundings.tables._max_bytes == settings.max_tables_bytes
    assert not surroundings.draining.is_set()


def test_each_worker_of_a_process_drains_by_itself(surroundings: Surroundings) -> None:
    other = Surroundings.of(surroundings.settings, surroundings.store, num_threads=1)
    other.notifier.close()

    surroundings.draining.set()

    assert not other.draining.is_set()
