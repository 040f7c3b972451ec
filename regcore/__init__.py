"""The engine: regularized training of neural networks, in a notebook or under a worker.

Lives here: the job spec, its plan, data, layers, regularizers, the training loop and what is made of a run.
Does not live here: anything that knows a server, a queue or a database. `import regcore` stays light; torch is
imported by the names that need it.

    from regcore import JobSpec, train
    result = train(JobSpec(data={"kind": "builtin", "name": "digits"}, model={"kind": "mlp", "hidden": [64]}))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regcore.loop.run import Result, train, train_many
    from regcore.plan import Plan, make_plan
    from regcore.predict import Predictor, load_predictor
    from regcore.record import Record
    from regcore.spec import JobSpec, parse_spec

__all__ = [
    "JobSpec",
    "Plan",
    "Predictor",
    "Record",
    "Result",
    "load_predictor",
    "make_plan",
    "parse_spec",
    "train",
    "train_many",
]

_HOME = {
    "JobSpec": "regcore.spec",
    "Plan": "regcore.plan",
    "Predictor": "regcore.predict",
    "Record": "regcore.record",
    "Result": "regcore.loop.run",
    "load_predictor": "regcore.predict",
    "make_plan": "regcore.plan",
    "parse_spec": "regcore.spec",
    "train": "regcore.loop.run",
    "train_many": "regcore.loop.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'regcore' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
