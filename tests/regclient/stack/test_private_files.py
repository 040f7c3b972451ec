from pathlib import Path

from regclient.stack.private_files import write_whole


def test_whoever_reads_a_file_while_it_is_replaced_finds_the_whole_of_it(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text("http://127.0.0.1:1\n")

    with path.open() as reader:
        write_whole(path, "http://127.0.0.1:2\n")
        read = reader.read()

    assert (read, path.read_text()) == ("http://127.0.0.1:1\n", "http://127.0.0.1:2\n")
    assert [one.name for one in tmp_path.iterdir()] == ["url"]
    assert path.stat().st_mode & 0o777 == 0o600
