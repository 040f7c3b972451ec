import time

from jobs.clock import read_clock, settle
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


def test_what_is_done_is_settled(database: Database) -> None:
    with database.write() as connection:
        done_at = read_clock(connection)

    moment = settle(database)

    assert done_at < moment.settled <= moment.at


def test_what_is_about_to_be_done_is_not_settled_and_is_not_waited_for_long(database: Database) -> None:
    with database.write() as connection:
        written_at = read_clock(connection)
        began = time.monotonic()
        moment = settle(database)
        waited_s = time.monotonic() - began

    assert moment.settled <= written_at <= moment.at
    assert waited_s < 1
