from pathlib import Path

import pytest

from worker.environment import parser_environment, runner_environment


@pytest.mark.parametrize(
    "environment_of",
    [
        lambda environment: parser_environment(environment, 2),
        lambda environment: runner_environment(environment, 2, Path("/tmp")),
    ],
    ids=["parser", "runner"],
)
def test_no_credential_reaches_a_child(environment_of):
    secrets = {
        "REGCORE_DATABASE_URL": "postgresql://user:password@host/name",
        "REGCORE_REDIS_URL": "redis://:password@host",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "HTTPS_PROXY": "http://user:password@proxy",
        "PGPASSWORD": "secret",
    }

    environment = environment_of({**secrets, "PATH": "/bin", "LC_ALL": "C.UTF-8"})

    assert not set(secrets) & set(environment)
    assert environment["PATH"] == "/bin"
    assert environment["LC_ALL"] == "C.UTF-8"


def test_the_number_of_threads_wins_over_the_workers_own():
    environment = runner_environment({"OMP_NUM_THREADS": "64", "OPENBLAS_NUM_THREADS": "64"}, 3, Path("/tmp"))

    assert environment["OMP_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "3"
    assert environment["OPENBLAS_NUM_THREADS"] == "1", "it starts its threads when it is imported"


def test_temporary_files_go_where_the_worker_says_and_not_where_its_own_go():
    environment = runner_environment({"TMPDIR": "/tmp", "TMP": "/tmp", "TEMP": "/tmp"}, 1, Path("/data/tmp/wrk_1"))

    assert {name: environment.get(name) for name in ("TMPDIR", "TMP", "TEMP")} == {
        "TMPDIR": "/data/tmp/wrk_1",
        "TMP": None,
        "TEMP": None,
    }


def test_a_runner_keeps_freed_memory_unless_the_operator_has_said_otherwise():
    given = {"MALLOC_TRIM_THRESHOLD_": "1024"}

    runner = runner_environment(given, 1, Path("/tmp"))

    assert {name: text for name, text in runner.items() if name.startswith("MALLOC_")} == {
        "MALLOC_MMAP_THRESHOLD_": "4294967296",
        "MALLOC_TRIM_THRESHOLD_": "1024",
        "MALLOC_TOP_PAD_": "67108864",
    }
    assert given == {"MALLOC_TRIM_THRESHOLD_": "1024"}, "the process that starts it is not changed"


def test_a_parser_returns_what_it_frees():
    parser = parser_environment({"MALLOC_TRIM_THRESHOLD_": "8589934592"}, 1)

    assert not {name for name in parser if name.startswith("MALLOC_")} - {"MALLOC_ARENA_MAX"}
