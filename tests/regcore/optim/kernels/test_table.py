from regcore.optim.kernels import table


def test_no_two_coefficients_and_no_two_tensors_share_a_place():
    parts = {table.PUSH, table.PULL, table.KEEP, table.SHRINK, table.FLOOR}
    # The slots, of which Adam has two, are the last.
    addresses = {table.WEIGHT, table.GRADIENT, table.MASK, table.ROOT, table.SLOT, table.SLOT + 1}

    assert parts == set(range(table.NUM_PARTS))
    assert len(addresses) == 6
    assert max(addresses) < table.NUM_ADDRESSES
