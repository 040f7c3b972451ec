from api.app import create_app
from jobs.settings import Settings


def test_the_first_start_writes_a_key_and_later_ones_keep_it(settings: Settings) -> None:
    create_app(settings).state.services.store.close()
    first = (settings.data_dir / "api-key").read_text()

    create_app(settings).state.services.store.close()

    assert (settings.data_dir / "api-key").read_text() == first
    assert (settings.data_dir / "api-key").stat().st_mode & 0o777 == 0o600
