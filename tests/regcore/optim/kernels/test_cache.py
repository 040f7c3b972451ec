import os

import pytest

from regcore.optim.kernels import cache


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache.cache_root.cache_clear()
    yield tmp_path / "regcore" / "kernels"
    cache.cache_root.cache_clear()


def _fail():
    raise AssertionError("compiled again")


def test_what_was_compiled_once_is_read_afterwards(root):
    assert cache.kept("sgd", lambda: b"code") == b"code"
    assert cache.kept("sgd", _fail) == b"code"


def test_each_kernel_has_its_own_place(root):
    cache.kept("sgd-float32", lambda: b"short")

    assert cache.kept("sgd-float64", lambda: b"long") == b"long"


@pytest.mark.parametrize(
    "harm", [lambda content: b"", lambda content: content[:-1], lambda content: content[:-1] + b"?"]
)
def test_a_file_that_is_torn_or_changed_is_compiled_anew(root, harm):
    cache.kept("sgd", lambda: b"code")
    (path,) = root.iterdir()
    path.write_bytes(harm(path.read_bytes()))

    assert cache.kept("sgd", lambda: b"anew") == b"anew"
    assert cache.kept("sgd", _fail) == b"anew"


def test_two_that_compile_at_once_both_have_the_code_and_leave_one_file(root):
    assert cache.kept("sgd", lambda: cache.kept("sgd", lambda: b"code")) == b"code"

    assert len(list(root.iterdir())) == 1


def test_a_disk_without_room_is_no_failure(root, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "replace", full)

    assert cache.kept("sgd", lambda: b"code") == b"code"
    assert list(root.iterdir()) == []


def test_a_folder_that_others_can_write_to_is_not_trusted(root, monkeypatch, tmp_path):
    root.mkdir(parents=True)
    root.chmod(0o777)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    assert cache.cache_root() == tmp_path / "home" / ".cache" / "regcore" / "kernels"


def test_without_a_home_that_can_be_written_to_it_is_among_the_temporary_files(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path))
    cache.cache_root.cache_clear()
    try:
        assert cache.cache_root() == tmp_path / f"regcore-kernels-{os.getuid()}"
    finally:
        cache.cache_root.cache_clear()


def test_with_no_place_at_all_it_is_compiled_each_time(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    cache.cache_root.cache_clear()
    try:
        assert cache.kept("sgd", lambda: b"code") == b"code"
        assert cache.kept("sgd", lambda: b"anew") == b"anew"
    finally:
        cache.cache_root.cache_clear()
