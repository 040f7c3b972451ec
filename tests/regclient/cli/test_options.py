import pytest

from regclient.cli.options import print_cut


@pytest.mark.parametrize(
    ("num_found", "newest_first", "said"),
    [
        (20, True, ""),
        (21, True, "The newest 20; there are more. --limit 100 shows more of them.\n"),
        (21, False, "The first 20; there are more. --limit 100 shows more of them.\n"),
    ],
)
def test_a_list_says_when_it_is_not_whole(
    num_found: int, newest_first: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_cut(num_found, 20, newest_first=newest_first)

    assert capsys.readouterr().out == said
