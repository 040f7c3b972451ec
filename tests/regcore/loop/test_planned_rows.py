import pytest

from regcore import train
from regcore.data import source
from regcore.errors import InvalidDataError
from regcore.spec import JobSpec


def test_data_that_are_not_those_planned_for_are_refused(make_job, monkeypatch):
    prepare = source.prepare
    fewer = make_job(data={"train_limit": 99})

    monkeypatch.setattr(source, "prepare", lambda spec, *a, **k: prepare(JobSpec.model_validate(fewer), *a, **k))

    with pytest.raises(InvalidDataError, match=r"expected 100 train rows.*hold 99 of shape \(1, 8, 8\)"):
        train(make_job())
