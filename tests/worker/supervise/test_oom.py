from worker.supervise.oom import count_oom_kills


def test_kills_are_added_up_over_host_and_container(tmp_path):
    host, container = tmp_path / "vmstat", tmp_path / "memory.events"
    host.write_text("pgfault 12\noom_kill 3\n")
    container.write_text("low 0\noom 5\noom_kill 2\noom_group_kill 0\n")

    assert count_oom_kills((host, container)) == 5


def test_a_system_that_does_not_count_has_none(tmp_path):
    assert count_oom_kills((tmp_path / "absent",)) == 0


def test_this_system_gives_a_number():
    assert count_oom_kills() >= 0
