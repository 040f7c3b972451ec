"""Tasks: one file each. A task says what a network's outputs mean: how a row's error counts, what the targets are, what
is measured, what always saying the same would give, and what a trained network answers.

To add one, add its file; the spec's `task.kind` and `task.loss`, the metrics and the common tests find it.
"""

from regcore.kinds import import_modules
from regcore.tasks.base import Columns, Task, known_metrics
from regcore.tasks.classification import Classification
from regcore.tasks.reconstruction import Reconstruction
from regcore.tasks.regression import Regression

import_modules(__name__)

__all__ = ["Classification", "Columns", "Reconstruction", "Regression", "Task", "known_metrics"]
