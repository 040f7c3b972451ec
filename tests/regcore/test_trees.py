import torch

from regcore.trees import copied, num_bytes, put_, select


def tree():
    return {"a": torch.arange(6.0).view(3, 2), "inner": {"b": torch.arange(3), "none": {}}}


def test_some_members_are_copies_in_the_order_that_is_asked_for():
    whole = tree()

    part = select(whole, [2, 0])
    whole["a"].zero_()

    assert part["a"].tolist() == [[4, 5], [0, 1]]
    assert part["inner"]["b"].tolist() == [2, 0]
    assert part["inner"]["none"] == {}


def test_a_selected_leaf_is_no_part_of_a_graph():
    assert not select({"w": torch.ones(2, requires_grad=True)}, [0])["w"].requires_grad


def test_members_are_put_in_place_and_the_others_stay():
    whole, other = tree(), tree()
    other["a"] += 100
    kept = whole["a"]

    put_(whole, other, [1])

    assert whole["a"] is kept
    assert kept.tolist() == [[0, 1], [102, 103], [4, 5]]


def test_bytes_are_those_of_all_tensors():
    assert num_bytes(tree()) == 6 * 4 + 3 * 8


def test_a_copy_is_laid_by_torch_wherever_its_pattern_lies():
    """The last bits of a product depend on where in memory a matrix begins."""
    amiss = torch.arange(20.0)[1:]

    copies = copied({"a": amiss, "b": {"c": amiss}}, torch.device("cpu"))

    assert torch.equal(copies["a"], amiss)
    for copy in (copies["a"], copies["b"]["c"]):
        assert copy.data_ptr() % 64 == 0
        assert copy.data_ptr() != amiss.data_ptr()
