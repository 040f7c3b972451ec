from regcore import make_plan
from regcore.loop.member import Member


def test_its_record_has_what_every_record_has_and_what_it_watches_itself(make_job):
    watching = {"kind": "early_stopping", "metric": "validation/auroc"}
    plain, own = (
        Member("0", make_plan(make_job(regularizers=regularizers)), lambda record: None)
        for regularizers in ([], [watching])
    )
    measured = dict.fromkeys(["train/loss", "validation/auroc", "test/auroc", "objective/total", "sparsity"], 0.5)

    assert (plain.watched, own.watched) == (frozenset(), {"validation/auroc"})
    assert plain.recorded(measured).keys() == {"train/loss", "objective/total", "sparsity"}
    assert own.recorded(measured).keys() == {"train/loss", "objective/total", "sparsity", "validation/auroc"}
