"""Whatever state a caller has torch and NumPy in, the engine computes the same bits, and leaves it as it was."""

import random
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes, _get_current_dispatch_mode_stack

from regcore import load_predictor, make_plan, train, train_many
from regcore.errors import DivergedError, TrainingStopped
from regcore.loop import fitting
from regcore.loop.machine import is_small
from regcore.own_state import each_in_own_state, own_state

ROWS = np.linspace(0, 16, 10 * 64).reshape(10, 8, 8)


class AddsOne(TorchFunctionMode):
    """Makes every matrix product wrong."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        given = func(*args, **(kwargs or {}))
        return given + 1 if func is torch.nn.functional.linear else given


class AddsOneToKernels(TorchDispatchMode):
    """Makes every matrix product wrong, below whatever function it is called by."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = func(*args, **(kwargs or {}))
        return given + 1 if func in (torch.ops.aten.mm.default, torch.ops.aten.addmm.default) else given


@contextmanager
def changed(get: Callable[[], Any], put: Callable[[Any], None], value: Any) -> Iterator[None]:
    """A state that torch has no context manager for."""
    before = get()
    put(value)
    try:
        yield
    finally:
        put(before)


@contextmanager
def entered(*settings: AbstractContextManager[Any]) -> Iterator[None]:
    with ExitStack() as stack:
        for setting in settings:
            stack.enter_context(setting)
        yield


@contextmanager
def default_device(name: str) -> Iterator[None]:
    torch.set_default_device(name)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def flushed_denormals() -> Iterator[None]:
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def anomalies_detected() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, that this is slow
        with torch.autograd.detect_anomaly():
            yield


STATES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast to bfloat16": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "autocast to float16": lambda: torch.autocast("cpu", dtype=torch.float16),
    "default bfloat16": lambda: changed(torch.get_default_dtype, torch.set_default_dtype, torch.bfloat16),
    "default float64": lambda: changed(torch.get_default_dtype, torch.set_default_dtype, torch.float64),
    "on meta": lambda: torch.device("meta"),
    "default meta": lambda: default_device("meta"),
    "a function mode": AddsOne,
    "a dispatch mode": AddsOneToKernels,
    "two dispatch modes and a function mode": lambda: entered(AddsOneToKernels(), AddsOne(), AddsOneToKernels()),
    "fake tensors": FakeTensorMode,
    "hooks of saved tensors": lambda: saved_tensors_hooks(lambda kept: kept * 2, lambda kept: kept + 1),
    "3 threads": lambda: changed(torch.get_num_threads, torch.set_num_threads, 3),
    "deterministic": lambda: changed(
        torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, True
    ),
    "medium precision": lambda: changed(
        torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "medium"
    ),
    "tf32 by the newer name": lambda: changed(
        lambda: torch.backends.cuda.matmul.fp32_precision,
        lambda value: setattr(torch.backends.cuda.matmul, "fp32_precision", value),
        "tf32",
    ),
    "anomalies detected": anomalies_detected,
    "denormals flushed": flushed_denormals,
    "without mkldnn": lambda: changed(
        torch._C._get_mkldnn_enabled,
        torch._C._set_mkldnn_enabled,
        False,
    ),
    "numpy raises": lambda: np.errstate(all="raise"),
}


def found() -> dict[str, Any]:
    """The caller's state, with its generators of random numbers."""
    try:
        precision = torch.get_float32_matmul_precision()
    except RuntimeError:
        precision = "mixed"
    return {
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": [torch.is_autocast_enabled(device) for device in ("cpu", "cuda")],
        "autocast dtype": torch.get_autocast_dtype("cpu"),
        "autocast cache": torch.is_autocast_cache_enabled(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "modes": torch._C._len_torch_function_stack(),
        "dispatch modes": _get_current_dispatch_mode_stack(),
        "hooks": torch._C._autograd._top_saved_tensors_default_hooks(False),
        "threads": torch.get_num_threads(),
        "threads of a new thread": of_a_new_thread(torch.get_num_threads),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "precision": [
            precision,
            torch.backends.cuda.matmul.fp32_precision,
            torch.backends.mkldnn.matmul.fp32_precision,
        ],
        "anomaly": [torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()],
        "mkldnn": torch.backends.mkldnn.enabled,
        "denormals are kept": sys.float_info.min / 2 > 0,
        "numpy": np.geterr(),
        "torch random": torch_random(),
        "numpy random": str(np.random.get_state()),
        "random": random.getstate(),
    }


def torch_random() -> list[int]:
    with _disable_current_modes():  # fake ones cannot be read
        state: list[int] = torch.get_rng_state().tolist()
        return state


def of_a_new_thread(ask: Callable[[], Any]) -> Any:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    thread.start()
    thread.join()
    return answers[0]


@pytest.fixture(params=["float32", "float64", "bfloat16"])
def job(request, make_job):
    regularizers = [{"kind": "l1", "strength": 1e-3}, {"kind": "dropout", "p": 0.3}, {"kind": "early_stopping"}]
    return make_job(
        training={"precision": request.param},
        optimizer={"kind": "adam"},
        task={"class_weights": [1.1, 0.3, 0.7, 1.3, 0.9, 1.7, 0.6, 1.9, 2.3, 0.1]},
        regularizers=regularizers,
    )


@pytest.fixture(scope="module")
def plain(make_job, tmp_path_factory):
    """What each job gives where the caller has changed nothing: hash, last loss, and answers on some rows."""
    kept: dict[str, tuple[str, dict[str, float], list[float]]] = {}

    def once(job):
        key = str(job)
        if key not in kept:
            directory = tmp_path_factory.mktemp("plain")
            result = train(job)
            result.save(directory)
            answers = load_predictor(directory).predict_proba(ROWS)
            kept[key] = (result.weights_sha256, result.metrics, answers.tolist())
        return kept[key]

    return once


@pytest.mark.parametrize("state", STATES)
def test_training_and_predicting_give_the_same_bits_in_any_state(state, job, plain, tmp_path):
    sha256, metrics, answers = plain(job)

    with STATES[state]():
        before = found()
        result = train(job)
        result.save(tmp_path)
        predictor = load_predictor(tmp_path)
        predicted = predictor.predict_proba(ROWS)
        labels = predictor.predict(ROWS)
        after = found()

    assert result.weights_sha256 == sha256
    assert result.metrics == metrics
    assert predicted.tolist() == answers
    assert labels.tolist() == np.argmax(answers, axis=1).tolist()
    assert after == before


@pytest.mark.parametrize("state", STATES)
def test_a_run_goes_on_to_the_same_bits_in_any_state(state, make_job, plain, tmp_path):
    job = make_job(optimizer={"kind": "adam"}, regularizers=[{"kind": "early_stopping"}])
    asked = iter([False, False, False, True])
    with pytest.raises(TrainingStopped):
        train(job, resume_from=tmp_path, should_stop=lambda: next(asked))

    with STATES[state]():
        result = train(job, resume_from=tmp_path)

    assert result.is_exact
    assert result.weights_sha256 == plain(job)[0]


@pytest.mark.parametrize("state", STATES)
def test_members_of_one_pass_have_the_same_bits_in_any_state(state, make_job):
    specs = [make_job(regularizers=[{"kind": "l2", "strength": strength}]) for strength in (0.0, 0.3)]
    expected = [result.weights_sha256 for result in train_many(specs)]

    with STATES[state]():
        before = found()
        fitting._step_times_s.clear()  # so that steps are timed here too
        results = train_many(specs)
        after = found()

    assert [result.weights_sha256 for result in results] == expected
    assert after == before


@pytest.mark.parametrize("state", STATES)
def test_the_state_is_given_back_where_training_raises(state, make_job):
    data = {"kind": "builtin", "name": "diabetes"}
    job = make_job(data=data, model={"kind": "linear"}, optimizer={"kind": "sgd", "learning_rate": 1e6})

    with STATES[state]():
        before = found()
        with pytest.raises(DivergedError):
            train(job)
        after = found()

    assert after == before


@pytest.mark.parametrize("state", ["inference_mode", "default bfloat16", "on meta"])
def test_weights_of_another_run_are_taken_up_in_any_state(state, make_job, tmp_path):
    train(make_job()).save(tmp_path)
    job = make_job(init_from={"job_id": "job_" + "0" * 26})
    expected = train(job, starting_weights=tmp_path / "model.safetensors").weights_sha256

    with STATES[state]():
        result = train(job, starting_weights=tmp_path / "model.safetensors")

    assert result.weights_sha256 == expected


@pytest.mark.parametrize("state", ["no_grad", "inference_mode"])
def test_the_model_can_be_trained_further_wherever_it_was_made(state, make_job):
    with STATES[state]():
        model = train(make_job()).model

    model(torch.ones(1, 1, 8, 8)).sum().backward()

    assert model.head.weight.grad is not None


def test_threads_that_train_at_once_leave_new_threads_as_they_were(make_job):
    jobs = [make_job(training={"seed": seed, "epochs": 4}) for seed in range(3)]
    alone = [train(job).weights_sha256 for job in jobs]
    together: dict[int, str] = {}
    beginning = threading.Barrier(3)

    def run(k: int) -> None:
        beginning.wait()
        together[k] = train(jobs[k]).weights_sha256

    with STATES["3 threads"](), STATES["default bfloat16"]():
        before = found()
        threads = [threading.Thread(target=run, args=(k,)) for k in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = found()

    assert [together[k] for k in range(3)] == alone
    assert after == before
    assert after["threads of a new thread"] == 3


def test_a_state_that_is_as_it_should_be_costs_no_import():
    """To set determinism, even to what it was, imports torch's compiler: over a second in every process."""
    code = "import regcore.own_state, sys\nwith regcore.own_state.own_state(1): print('torch._inductor' in sys.modules)"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "False"


def test_what_all_threads_share_is_given_back_by_the_last_one_out():
    with STATES["default bfloat16"]():
        first, second = own_state(), own_state()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        meanwhile = torch.get_default_dtype()
        second.__exit__(None, None, None)
        afterwards = torch.get_default_dtype()

    assert meanwhile == torch.float32
    assert afterwards == torch.bfloat16


def test_between_two_items_the_caller_has_its_own_state():
    seen = []

    def items() -> Iterator[int]:
        for item in range(2):
            seen.append((torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()))
            yield item

    with STATES["default bfloat16"](), torch.no_grad(), STATES["3 threads"]():
        between = [
            (torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads())
            for _ in each_in_own_state(items(), num_threads=2)
        ]

    assert seen == [(torch.float32, True, 2)] * 2
    assert between == [(torch.bfloat16, False, 3)] * 2


@pytest.mark.parametrize("state", ["inference_mode", "fake tensors", "default bfloat16", "hooks of saved tensors"])
def test_a_model_is_of_ordinary_tensors_in_any_state(state, make_job, tmp_path):
    with STATES[state]():
        result = train(make_job())
        result.save(tmp_path)
        loaded = load_predictor(tmp_path).model

    for parameter in [*result.model.parameters(), *loaded.parameters()]:
        assert type(parameter) is torch.nn.Parameter
        assert type(parameter.data) is torch.Tensor
        assert (parameter.device.type, parameter.dtype) == ("cpu", torch.float32)
        assert not parameter.is_inference()


def test_a_large_network_goes_on_with_the_threads_that_it_began_with(make_job, tmp_path):
    """How many there are is the caller's to say, and decides the last bits of large products."""
    data = {"kind": "builtin", "name": "digits", "train_limit": None}
    job = make_job(data=data, model={"kind": "mlp", "hidden": [2048]}, training={"batch_size": "full"})
    assert not is_small(make_plan(job), 1)
    with STATES["3 threads"]():
        expected = train(job).weights_sha256
        asked = iter([False, True])
        with pytest.raises(TrainingStopped):
            train(job, resume_from=tmp_path, should_stop=lambda: next(asked))

    seen = set()
    result = train(job, resume_from=tmp_path, should_stop=lambda: seen.add(torch.get_num_threads()) or False)

    assert seen == {3}
    assert result.is_exact
    assert result.weights_sha256 == expected
