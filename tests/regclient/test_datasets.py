import gzip
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_proxy import SmallProxy

from regclient import (
    Client,
    ConflictError,
    DatasetInvalidError,
    FileChangedError,
    InvalidIdError,
    NotFoundError,
    ServerUnreachableError,
    UnavailableError,
    UsageError,
    WaitTimeoutError,
)

ROWS = "age,city\n41,Oslo\n,Bergen\n"


@pytest.fixture
def client(server: Any) -> Iterator[Client]:
    with Client(max_retries=2) as client:
        yield client


@pytest.fixture
def rows_csv(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(ROWS)
    return path


def test_an_upload_waits_until_the_table_is_ready(server: Any, client: Client, rows_csv: Path) -> None:
    server.datasets.num_looks = 2

    dataset = client.datasets.upload(rows_csv)

    assert dataset.state == "ready"
    assert dataset.name == "rows.csv"
    assert dataset.num_rows == 40
    assert [column["name"] for column in dataset.columns] == ["age", "city"]
    assert dataset.preview()["rows"][0] == [41, "Oslo"]
    [(size_bytes, headers)] = server.datasets.received
    assert size_bytes == int(headers["content-length"]) == len(ROWS)
    assert headers["content-type"] == "text/csv"


def test_nothing_is_sent_twice(server: Any, client: Client, rows_csv: Path) -> None:
    first = client.datasets.upload(rows_csv)

    again = client.datasets.upload(rows_csv, name="another name")

    assert again.id == first.id
    assert (first.was_sent, again.was_sent) == (True, False)
    assert server.datasets.num_begun == 1


def test_the_same_bytes_read_with_another_header_are_another_table(server: Any, client: Client, rows_csv: Path) -> None:
    first = client.datasets.upload(rows_csv)

    again = client.datasets.upload(rows_csv, header="no")

    assert again.id != first.id
    assert server.datasets.num_begun == 2


def test_without_wait_it_is_still_validating(server: Any, client: Client, rows_csv: Path) -> None:
    server.datasets.num_looks = 2

    dataset = client.datasets.upload(rows_csv, wait=False)

    assert dataset.state == "validating"
    assert not dataset.done
    with pytest.raises(ConflictError, match="still read"):
        dataset.preview()
    assert dataset.wait().state == "ready"


def test_an_invalid_table_names_its_row(server: Any, client: Client, rows_csv: Path) -> None:
    server.datasets.invalid = True

    with pytest.raises(DatasetInvalidError, match=r"Expected 3 cells.*line 7, row 6") as caught:
        client.datasets.upload(rows_csv)

    assert caught.value.reason is not None
    assert caught.value.reason["code"] == "ragged_row"
    assert client.datasets.get(caught.value.dataset_id).wait(check=False).state == "invalid"


def test_an_invalid_table_that_is_there_already_says_how_it_is_read_anew(
    server: Any, client: Client, rows_csv: Path
) -> None:
    server.datasets.invalid = True
    with pytest.raises(DatasetInvalidError) as first:
        client.datasets.upload(rows_csv)

    with pytest.raises(DatasetInvalidError, match="read before: after `regcore datasets delete ds_") as second:
        client.datasets.upload(rows_csv)

    assert "read before" not in str(first.value)
    assert second.value.dataset_id == first.value.dataset_id
    assert server.datasets.num_begun == 1


def test_what_was_no_csv_is_sent_again_as_what_it_is(server: Any, client: Client, rows_csv: Path) -> None:
    server.datasets.invalid = True
    with pytest.raises(DatasetInvalidError):
        client.datasets.upload(rows_csv)
    server.datasets.invalid = False

    dataset = client.datasets.upload(rows_csv.rename(rows_csv.with_suffix(".jsonl")))

    assert dataset.state == "ready"
    assert server.datasets.num_begun == 2


def test_an_upload_that_broke_off_begins_anew(server: Any, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"1,2\n" * 1_000_000)
    server.datasets.break_off_after_bytes = [1_500_000]

    dataset = client.datasets.upload(path)

    assert dataset.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert server.datasets.num_begun == 2
    assert [size_bytes for size_bytes, _ in server.datasets.received] == [4_000_000]


def test_what_arrived_although_its_answer_was_lost_is_not_sent_again(
    server: Any, client: Client, rows_csv: Path
) -> None:
    server.datasets.lose_answers = 1

    dataset = client.datasets.upload(rows_csv)

    assert dataset.state == "ready"
    assert server.datasets.num_begun == 1


def test_an_upload_outlives_more_failures_than_other_requests(server: Any, rows_csv: Path) -> None:
    server.datasets.break_off_after_bytes = [1, 1, 1]

    with Client(max_retries=1) as client:
        dataset = client.datasets.upload(rows_csv)

    assert dataset.state == "ready"
    assert server.datasets.num_begun == 4


def test_a_store_that_is_away_is_unavailable_where_no_retry_is_wanted(server: Any, rows_csv: Path) -> None:
    server.datasets.break_off_after_bytes = [1, 1]

    with Client(max_retries=0) as client, pytest.raises(UnavailableError, match="store is away"):
        client.datasets.upload(rows_csv)

    assert server.datasets.num_begun == 1
    assert server.datasets.bodies == {}


def test_a_file_that_changes_while_it_is_sent_is_noticed_and_leaves_nothing(
    server: Any, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"1,2\n" * 1_000_000)
    from regclient import datasets

    def changed_before_it_is_sent(*arguments: Any, **others: Any) -> Any:
        with path.open("r+b") as file:
            file.seek(3_000_000)
            file.write(b"9")
        return send(*arguments, **others)

    send = datasets.Transport.send_file
    monkeypatch.setattr(datasets.Transport, "send_file", changed_before_it_is_sent)

    with pytest.raises(FileChangedError, match=r"rows\.csv changed"):
        client.datasets.upload(path)

    assert server.datasets.bodies == {}
    assert server.datasets.received == []


@pytest.mark.parametrize("change", ["grown", "shrunk"])
def test_a_file_of_another_size_is_noticed(client: Client, tmp_path: Path, change: str) -> None:
    from regclient.uploads import ready_to_send

    path = tmp_path / "rows.csv"
    path.write_bytes(b"1,2\n" * 1_000_000)
    with ready_to_send(path, None, lambda num_bytes: None) as upload:
        os.truncate(path, 5_000_000 if change == "grown" else 2_000_000)

        with pytest.raises(FileChangedError):
            list(upload.body(lambda num_bytes: None))


@pytest.mark.timeout(60)
def test_an_upload_ends_with_its_time(server: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"1,2\n" * 10_000)
    server.datasets.num_looks = 1_000_000

    with (
        Client() as client,
        pytest.raises(WaitTimeoutError, match=r"still validating after 1 s\. It goes on; wait again\."),
    ):
        client.datasets.upload(path, timeout_s=1)


def test_uploads_need_a_server(tmp_path: Path, rows_csv: Path) -> None:
    with Client("http://127.0.0.1:9", "rc_x", max_retries=0) as client, pytest.raises(ServerUnreachableError):
        client.datasets.upload(rows_csv)


def test_list_get_and_delete(client: Client, rows_csv: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    first, second = client.datasets.upload(rows_csv), client.datasets.upload(other)

    assert [one.id for one in client.datasets.list(page_size=1)] == [second.id, first.id]
    assert [one.id for one in client.datasets.list(sha256=first.sha256)] == [first.id]
    assert next(iter(client.datasets.list())).columns == second.columns
    client.datasets.delete(first.id)
    second.delete()
    assert list(client.datasets.list()) == []
    with pytest.raises(NotFoundError):
        client.datasets.get(first.id)


def test_another_id_is_refused_before_anything_is_sent(server: Any, client: Client) -> None:
    with pytest.raises(InvalidIdError, match="There is no data set"):
        client.datasets.get("job_" + "0" * 26)

    assert server.requests == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"header": "maybe"}, "header: expected one of auto, yes, no"), ({"name": ""}, "name: expected text")],
)
def test_a_wrong_argument_is_a_usage_error(
    client: Client, rows_csv: Path, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        client.datasets.upload(rows_csv, **arguments)


@pytest.mark.parametrize("name", ["a\nb.csv", " rows.csv", "n" * 201 + ".csv"], ids=ascii)
def test_a_file_with_a_name_that_no_server_takes_is_uploaded_without_one(
    client: Client, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_text(ROWS)

    assert client.datasets.upload(path).name is None


def test_gzip_is_sent_as_it_is(server: Any, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(ROWS.encode()))

    dataset = client.datasets.upload(path)

    [(size_bytes, headers)] = server.datasets.received
    assert (size_bytes, headers["content-type"]) == (path.stat().st_size, "text/csv")
    assert "content-encoding" not in headers
    assert dataset.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_threads_upload_through_one_client(server: Any, client: Client, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.csv" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_text(f"a,b\n{number},2\n")
    found: list[str] = []

    def upload(path: Path) -> None:
        found.append(client.datasets.upload(path).sha256)

    threads = [threading.Thread(target=upload, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(found) == {hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_a_proxy_that_refuses_a_body_is_asked_again(server: Any, rows_csv: Path) -> None:
    with SmallProxy(server.url) as proxy, Client(proxy.url, max_retries=2) as client:
        assert list(client.datasets.list()) == []
        proxy.refusals = [502, 503]

        assert client.datasets.upload(rows_csv).state == "ready"

    assert len(server.datasets.received) == 1
