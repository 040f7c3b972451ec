import os
import threading
from pathlib import Path
from typing import Any

import pytest
from small_proxy import SmallProxy

from regclient import Client, IntegrityError, Job, WaitTimeoutError
from regclient.stack.process import wait_until


@pytest.fixture
def job(server: Any) -> Any:
    with Client(max_retries=3) as client:
        yield client.jobs.create({})


def test_download_saves_what_was_announced(job: Job, tmp_path: Path) -> None:
    [path] = job.download(tmp_path / "new")

    assert path == tmp_path / "new" / "model.safetensors"
    assert path.stat().st_size == job.artifacts()[0]["size_bytes"]


def test_download_refuses_other_bytes(server: Any, job: Job, tmp_path: Path) -> None:
    server.sha256 = "0" * 64

    with pytest.raises(IntegrityError, match="announced 0000"):
        job.download(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_download_saves_what_is_whole_and_names_what_is_not(server: Any, job: Job, tmp_path: Path) -> None:
    server.artifacts = ["a b#1?.json", "altered.bin", "lost.bin", "model.safetensors"]
    server.damaged, server.altered = {"lost.bin"}, {"altered.bin"}

    with pytest.raises(IntegrityError, match=r"altered\.bin arrived with.* 'lost\.bin' is damaged") as caught:
        job.download(tmp_path)

    whole = [tmp_path / "a b#1?.json", tmp_path / "model.safetensors"]
    assert caught.value.names == ["altered.bin", "lost.bin"]
    assert caught.value.saved == whole
    assert sorted(tmp_path.iterdir()) == whole


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "a\\b", "..", "", "a\x00b", "a\x1b[31m", "x" * 300], ids=ascii)
def test_a_name_that_is_no_plain_file_name_is_not_written(server: Any, job: Job, tmp_path: Path, name: str) -> None:
    server.artifacts = [name, "model.safetensors"]

    with pytest.raises(IntegrityError, match="not a plain file name") as caught:
        job.download(tmp_path / "to")

    assert caught.value.names == [name]
    assert [path.name for path in tmp_path.rglob("*")] == ["to", "model.safetensors"]


def test_links_that_lie_in_the_way_are_replaced_and_not_followed(job: Job, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    folder = tmp_path / "to"
    folder.mkdir()
    for name in ("model.safetensors", ".model.safetensors.partial"):
        (folder / name).symlink_to(precious)

    [path] = job.download(folder)

    assert precious.read_text() == "mine"
    assert not path.is_symlink()


def test_downloads_into_one_directory_at_once_do_not_disturb_each_other(server: Any, job: Job, tmp_path: Path) -> None:
    with SmallProxy(server.url) as proxy, Client(proxy.url) as client:
        other = client.jobs.get(job.id)
        proxy.drip_s = 0.001  # the first is still writing when the second begins and ends
        begun = threading.Thread(target=lambda: other.download(tmp_path))
        begun.start()
        assert wait_until(lambda: list(tmp_path.iterdir()) != [], 30)

        [path] = job.download(tmp_path)
        whole = path.read_bytes()
        proxy.drip_s = 0.0
        begun.join()

    assert path.read_bytes() == whole
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.timeout(60)
def test_a_download_ends_with_its_time_and_leaves_no_part_behind(server: Any, job: Job, tmp_path: Path) -> None:
    with SmallProxy(server.url) as proxy, Client(proxy.url) as client:
        other = client.jobs.get(job.id)
        proxy.drip_s = 0.05

        with pytest.raises(WaitTimeoutError):
            other.download(tmp_path, timeout_s=0.5)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("in_the_way", ["the directory", "the file"])
def test_what_cannot_be_written_is_an_error_of_the_operating_system(job: Job, tmp_path: Path, in_the_way: str) -> None:
    if in_the_way == "the directory":
        (tmp_path / "to").write_text("")
    else:
        (tmp_path / "to" / "model.safetensors").mkdir(parents=True)

    with pytest.raises(OSError, match=r"to|model\.safetensors"):
        job.download(tmp_path / "to")


def test_download_of_an_unknown_name_says_what_there_is(job: Job, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"It has: model\.safetensors"):
        job.download(tmp_path, ["nope"])
