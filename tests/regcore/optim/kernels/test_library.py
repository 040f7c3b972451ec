import sys
import threading

import pytest

from regcore.optim.kernels import library


@pytest.fixture
def nothing_loaded(monkeypatch):
    monkeypatch.setattr(library, "_loaded", {})


def test_a_kernel_is_loaded_once(nothing_loaded):
    assert library.load("sgd", "float32") is library.load("sgd", "float32") is not None


def test_without_numba_there_is_none(nothing_loaded, monkeypatch, tmp_path):
    monkeypatch.setattr("regcore.optim.kernels.cache.cache_root", lambda: None)
    monkeypatch.setitem(sys.modules, "regcore.optim.kernels.compile", None)

    assert library.load("sgd", "float32") is None


def test_numbas_own_switch_turns_them_off(nothing_loaded, monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")

    assert library.load("sgd", "float32") is None


def test_a_kernel_that_cannot_be_compiled_is_told_and_done_without(nothing_loaded, monkeypatch):
    def fail(*_):
        raise ValueError("no such instruction")

    monkeypatch.setattr(library, "_compiled", fail)
    monkeypatch.setattr("regcore.optim.kernels.cache.cache_root", lambda: None)

    with pytest.warns(RuntimeWarning, match="the sgd kernel cannot be compiled here.*no such instruction"):
        assert library.load("sgd", "float32") is None


def test_warming_loads_every_kernel_and_starts_no_thread(nothing_loaded):
    before = threading.active_count()

    library.warm()

    assert {(name, dtype) for name in library.KERNELS for dtype in library.DTYPES} == library._loaded.keys()
    assert None not in library._loaded.values()
    assert threading.active_count() == before


def test_warming_what_is_kept_compiles_nothing(nothing_loaded, monkeypatch):
    monkeypatch.setattr("regcore.optim.kernels.cache.is_kept", lambda name: name == "sgd-float32")

    library.warm(only_kept=True)

    assert library._loaded.keys() == {("sgd", "float32")}
