"""The job spec, and how JSON becomes one.

Lives here: the fields of a job, their bounds, their errors and their catalogue. Does not live here: what follows from a
spec together with a data set (`regcore.plan`), and anything that computes.
"""

from regcore.errors import json_pointer
from regcore.spec.catalogue import FAMILIES, CatalogueEntry, catalogue
from regcore.spec.job import JobSpec
from regcore.spec.patch import apply_patch
from regcore.spec.validation import parse_as, parse_spec

__all__ = [
    "FAMILIES",
    "CatalogueEntry",
    "JobSpec",
    "apply_patch",
    "catalogue",
    "json_pointer",
    "parse_as",
    "parse_spec",
]
