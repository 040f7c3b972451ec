import time

from jobs.clock import read_clock
from jobs.database import Database


def test_the_database_tells_the_time_in_milliseconds(database: Database) -> None:
    with database.read() as connection:
        at = read_clock(connection)

    assert abs(at - time.time()) < 5
    assert at == round(at, 3)


def test_the_clock_goes_on_inside_a_transaction(database: Database) -> None:
    with database.write() as connection:
        first = read_clock(connection)
        time.sleep(0.02)
        second = read_clock(connection)

    assert second > first
