from regcore.loop.control import Control, Rungs


def test_left_to_itself_a_pass_runs_to_its_end():
    control = Control()

    assert control.should_stop() is False
    assert control.leaving() == {}
    assert control.accepted_step() is None
    assert control.rungs("any") == Rungs()
    assert control.judge(1, {"any": 0.5}) == ()


def test_without_rungs_nobody_is_judged():
    assert Rungs().epochs == frozenset()
