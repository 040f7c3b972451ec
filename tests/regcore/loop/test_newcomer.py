import itertools

import pytest

from regcore import train
from regcore.errors import TrainingStopped
from regcore.loop.newcomer import Checkpoints


def test_checkpoints_name_the_members_that_were_saved_until_they_are_forgotten(make_job, tmp_path):
    assert Checkpoints(tmp_path).saved_keys is None
    calls = itertools.count()
    with pytest.raises(TrainingStopped):
        train(make_job(), resume_from=tmp_path, should_stop=lambda: next(calls) == 3)

    checkpoints = Checkpoints(tmp_path)

    assert (checkpoints.saved_keys, checkpoints.newest.step) == (["0"], 3)
    checkpoints.forget()
    assert (checkpoints.saved_keys, checkpoints.newest.step) == (None, 3)
