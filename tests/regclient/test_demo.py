from regclient.demo import REGULARIZERS, demo_spec
from regcore.spec import parse_spec


def test_the_four_jobs_are_valid_and_alike_but_for_their_regularizers() -> None:
    specs = [parse_spec(demo_spec(name, kinds)).model_dump() for name, kinds in REGULARIZERS.items()]

    alike = [{key: value for key, value in spec.items() if key not in ("name", "regularizers")} for spec in specs]
    assert alike == [alike[0]] * 4
    assert [spec["name"] for spec in specs] == ["none", "L1", "L2", "dropout"]
