from regcore.data.files.limits import FileLimits, too_many


def test_the_error_says_how_many_files_there_may_be():
    error = too_many("300,000", FileLimits())

    assert error.message == "It holds 300,000 files, and may hold 200,000."
    assert error.details == {"max_files": 200_000}
