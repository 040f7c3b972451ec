"""Which form each layer takes for K members: its own against member by member through its plain module.

Forward and backward of one layer, K members with rows of their own, float32, on the CPU. A ratio is the time of the
general form, `Layer.forward`, over that of another; above 1 the other is faster. Forms take turns, and a ratio is taken
inside a round, so that a busy machine slows both its sides; the median over rounds is printed.

    python benchmarks/layer_forms.py [--members 8] [--rounds 9] [LAYER ...]

To add a layer, add its cases to `CASES`, and forms that it does not take to `OTHERS`.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from _report import hardware, keep
from pydantic import TypeAdapter
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from regcore.at import At
from regcore.layers import BatchNorm, Conv2d, Layer
from regcore.layers.forward import ForwardPass, Here, Node, bind
from regcore.layers.linear import stacked_linear
from regcore.shapes import RowInfo
from regcore.spec.kinds import AnyLayer

Form = Callable[[Tensor, Mapping[str, Tensor], Here], Tensor]
LAYER: TypeAdapter[Layer] = TypeAdapter(AnyLayer)


@dataclass(frozen=True)
class Case:
    """One layer on rows of one shape.

    Attributes:
        layer: As JSON.
        shape: Of a row.
        batch: Rows of each member.
        by_row: Whether the members' values of a row lie together in memory, as a convolution of groups leaves them.
        first: Whether it is a network's first layer, whose rows need no gradient.
        tokens: Size of the vocabulary of rows of tokens; None for numbers.
        varies: Whether rows are sequences of varying length.
        has_others: Whether the forms of `OTHERS` can compute it.
    """

    layer: dict[str, Any]
    shape: tuple[int, ...]
    batch: int = 64
    by_row: bool = False
    first: bool = False
    tokens: int | None = None
    varies: bool = False
    has_others: bool = True


def conv2d(channels: int) -> dict[str, Any]:
    return {"kind": "conv2d", "channels": channels, "kernel_size": 3, "padding": 1}


CASES = [
    Case({"kind": "linear", "features": 64}, (64,)),
    Case({"kind": "linear", "features": 128}, (784,), first=True),
    *(Case(conv2d(8), (1, side, side), first=True) for side in (8, 14, 28)),
    *(Case(conv2d(16), (3, side, side), first=True) for side in (8, 32)),
    Case(conv2d(16), (4, 14, 14), by_row=True),
    Case(conv2d(16), (8, 8, 8), by_row=True),
    Case(conv2d(32), (16, 14, 14), by_row=True),
    Case(conv2d(32), (32, 7, 7)),
    Case({"kind": "batch_norm"}, (64,)),
    Case({"kind": "batch_norm"}, (8, 8, 8), by_row=True),
    Case({"kind": "batch_norm"}, (8, 8, 8)),
    Case({"kind": "batch_norm"}, (16, 28, 28), by_row=True),
    Case({"kind": "batch_norm"}, (16, 28, 28)),
    Case({"kind": "pool"}, (16, 14, 14), by_row=True),
    Case({"kind": "pool"}, (16, 28, 28)),
    Case({"kind": "layer_norm"}, (64,)),
    Case({"kind": "layer_norm"}, (20, 64)),
    Case({"kind": "embedding", "features": 32}, (20,), first=True, tokens=5000, varies=True),
    Case({"kind": "position"}, (20, 32)),
    Case({"kind": "global_pool"}, (20, 32), varies=True),
    Case({"kind": "linear", "features": 128, "per_step": True}, (20, 32)),
    Case({"kind": "conv1d", "channels": 32, "padding": 1}, (20, 32)),
    Case({"kind": "conv1d", "channels": 32, "padding": 1}, (50, 64), varies=True),
    Case({"kind": "conv1d", "channels": 32, "padding": 1}, (28, 28), first=True),
    Case({"kind": "transposed_conv2d", "channels": 16, "stride": 2, "padding": 1, "output_padding": 1}, (32, 7, 7)),
    Case({"kind": "transposed_conv2d", "channels": 1, "stride": 2, "padding": 1, "output_padding": 1}, (16, 14, 14)),
    Case({"kind": "group_norm", "num_groups": 4}, (16, 14, 14), by_row=True),
    Case({"kind": "group_norm", "num_groups": 4}, (16, 14, 14)),
    Case({"kind": "group_norm", "num_groups": 4}, (20, 32), varies=True),
    Case({"kind": "batch_norm"}, (20, 32), has_others=False),
    Case({"kind": "batch_norm"}, (20, 32), varies=True, has_others=False),
    Case({"kind": "gru", "hidden": 32}, (20, 32), varies=True),
    Case({"kind": "lstm", "hidden": 32}, (20, 32)),
    Case({"kind": "lstm", "hidden": 32}, (20, 32), varies=True),
    Case({"kind": "lstm", "hidden": 32, "bidirectional": True}, (20, 32), varies=True, has_others=False),
    Case({"kind": "lstm", "hidden": 128}, (50, 64), varies=True),
    Case({"kind": "attention", "num_heads": 4}, (20, 32)),
    Case({"kind": "attention", "num_heads": 4}, (20, 32), varies=True),
    Case({"kind": "attention", "num_heads": 4}, (64, 64), varies=True),
]


def grouped(x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
    """One convolution of K groups, whatever the number of channels."""
    layer = here.layer
    assert isinstance(layer, Conv2d)
    return layer._in_groups(x, own["weight"], own["bias"])


def each_by_function(x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
    """A convolution for each member, without its module."""
    layer = here.layer
    assert isinstance(layer, Conv2d)
    return layer._one_by_one(x, own["weight"], own["bias"])


def normalized_each_by_function(x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
    """Batch normalization for each member, without its module."""
    layer = here.layer
    assert isinstance(layer, BatchNorm)
    names = ("running_mean", "running_var", "weight", "bias")
    parts = zip(x.unbind(), *(own[name].unbind() for name in names), strict=True)
    each = [functional.batch_norm(row, m.clone(), v.clone(), w, b, True, 0.1, layer.eps) for row, m, v, w, b in parts]
    return torch.stack(each)


def layer_normed_at_once(x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
    """Layer normalization of all members over the last axis, and then each one's scale and offset."""
    column = (len(x), *[1] * (x.dim() - 2), -1)
    normalized = functional.layer_norm(x, x.shape[-1:])
    return torch.addcmul(own["bias"].view(column), normalized, own["weight"].view(column))


def packed(x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
    """An LSTM for each member over packed rows."""
    lengths, (_, features) = here.lengths, here.seen.shape
    with torch.device("meta"):
        plain = nn.LSTM(features, own["weight_hh_l0"].shape[2], batch_first=True)
    outputs = []
    for k, row in enumerate(x.unbind()):
        used = torch.full((len(row),), row.shape[1]) if lengths is None else lengths[k]
        given = pack_padded_sequence(row, used, batch_first=True, enforce_sorted=False)
        state = {name: tensor[k] for name, tensor in own.items()}
        kept, _ = torch.func.functional_call(plain, state, (given,))
        outputs.append(pad_packed_sequence(kept, batch_first=True, total_length=row.shape[1])[0])
    return torch.stack(outputs)


def own_recurrence(x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
    """One direction and layer of an LSTM, each step of all members in one product."""
    biases = own["bias_ih_l0"] + own["bias_hh_l0"]
    driven = stacked_linear(x, own["weight_ih_l0"], biases).unbind(2)
    hidden = memory = x.new_zeros(*x.shape[:2], own["weight_hh_l0"].shape[2])
    shown = []
    for gates in driven:
        i, f, g, o = (gates + torch.bmm(hidden, own["weight_hh_l0"].mT)).chunk(4, 2)
        memory = f.sigmoid() * memory + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * memory.tanh()
        shown.append(hidden)
    return torch.stack(shown, 2)


OTHERS: dict[str, dict[str, Form]] = {
    "layer_norm": {"at once": layer_normed_at_once},
    "lstm": {"packed": packed, "own recurrence": own_recurrence},
    "conv2d": {"one by one, no module": each_by_function, "groups": grouped},
    "batch_norm": {"one by one, no module": normalized_each_by_function},
}


class Layers:
    """One case bound to K members.

    Args:
        case: What is measured.
        num_members: K.
    """

    def __init__(self, case: Case, num_members: int) -> None:
        layer, seen = LAYER.validate_python(case.layer), RowInfo(case.shape, case.tokens, case.varies)
        node: Node
        (node,) = bind([[layer]] * num_members, seen)
        infos = layer.tensors(seen)
        self.own = {
            info.name: torch.ones(num_members, *info.shape, dtype=torch.int64)
            if info.dtype == "int64"
            else torch.rand(num_members, *info.shape).requires_grad_(info.is_learned)
            for info in infos
        }
        sizes = (case.batch, num_members) if case.by_row else (num_members, case.batch)
        x = (
            torch.rand(*sizes, *case.shape)
            if case.tokens is None
            else torch.randint(1, case.tokens, (*sizes, *case.shape))
        )
        lengths = torch.randint(1, case.shape[0] + 1, (num_members, case.batch)) if case.varies else None
        self.x = (x.transpose(0, 1) if case.by_row else x).requires_grad_(not case.first)
        self.leaves = [tensor for tensor in (self.x, *self.own.values()) if tensor.requires_grad]
        self.layer = layer
        self.here = Here(node, ForwardPass({}, At(0, 1, 1, tuple(range(num_members))), lengths))

    def seconds(self, form: Form) -> float:
        """One forward and backward pass."""
        started = time.perf_counter()
        outputs = form(self.x, self.own, self.here)
        torch.autograd.grad(outputs.square().sum(), self.leaves)
        return time.perf_counter() - started


def ratios(case: Case, num_members: int, rounds: int) -> Iterator[tuple[str, float]]:
    """How many times faster each form is than the general one."""
    stack = Layers(case, num_members)

    def general(x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
        return Layer.forward(stack.layer, x, own, here)

    others = OTHERS.get(stack.layer.kind, {}) if case.has_others else {}
    forms: dict[str, Form] = {"taken": stack.layer.forward, **others}
    found: dict[str, list[float]] = {name: [] for name in forms}
    for number in range(rounds + 1):
        base = stack.seconds(general)
        for name, form in forms.items():
            lasted = stack.seconds(form)
            if number:  # the first round warms up
                found[name].append(base / lasted)
    for name, values in found.items():
        yield name, statistics.median(values)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("layers", nargs="*", metavar="LAYER")
    options = parser.parse_args()
    lines = ["| layer | row | form | one thread | two threads |", "| --- | --- | --- | --- | --- |"]
    for case in CASES:
        if options.layers and case.layer["kind"] not in options.layers:
            continue
        by_threads = []
        for num_threads in (1, 2):
            torch.set_num_threads(num_threads)
            by_threads.append(dict(ratios(case, options.members, options.rounds)))
        fields = " ".join(f"{name} {value}" for name, value in case.layer.items() if name != "kind")
        shape = "×".join(map(str, case.shape)) + ", by row" * case.by_row + ", varying" * case.varies
        for name in by_threads[0]:
            one, two = (each[name] for each in by_threads)
            lines.append(f"| {case.layer['kind']} {fields} | {shape} | {name} | {one:.2f} | {two:.2f} |")
    about = f"K = {options.members}, batch 64; times faster than member by member through the module. {hardware()}\n\n"
    keep("layer-forms", "Forms of layers for K members", about + "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
