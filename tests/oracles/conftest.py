"""Small matrices: one thread is faster than two, and does not fight with the tests beside it."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)
