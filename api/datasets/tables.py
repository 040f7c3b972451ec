"""The facts of users' data sets, by which jobs on them are planned."""

from typing import Any

from api.http.errors import NOT_READY
from api.services import Services
from jobs.errors import DatasetNotFoundError
from jobs.model import Dataset, Json
from jobs.states import DatasetState
from regcore.data.facts import DataFacts, FactsOf, known_facts
from regcore.data.tables.choose import table_facts_of
from regcore.data.tables.facts import TableFacts
from regcore.errors import FieldError, SpecError

POINTER = "/data/id"


def facts_of(services: Services, tenant: str) -> FactsOf:
    """Return what finds the facts of a spec's data, for one request: each data set is looked up once.

    Members of a sweep differ seldom in what their facts follow from, `data` and `task`: what was found is found again.

    Args:
        services: The server's.
        tenant: The owner: another tenant's data set counts as missing.
    """
    known: dict[str, FactsOf] = {}
    found: dict[tuple[str, str], DataFacts] = {}

    def find(spec: Any) -> DataFacts:
        if spec.data.kind != "dataset":
            return known_facts(spec)
        dataset_id: str = spec.data.id
        if dataset_id not in known:
            known[dataset_id] = _look_up(services, tenant, dataset_id)
        asked = (spec.data.model_dump_json(), spec.task.model_dump_json())
        if asked not in found:
            found[asked] = known[dataset_id](spec)
        return found[asked]

    return find


def facts_of_dataset(services: Services, dataset: Dataset) -> TableFacts | None:
    """Return the facts of a data set; None unless it is ready, or if it was deleted a moment ago."""
    if dataset.state is not DatasetState.READY:
        return None

    def load() -> Json:
        facts = services.store.dataset_facts(dataset.tenant, dataset.id)
        assert facts is not None, "a data set that is ready has facts"
        return facts

    try:
        return services.tables.find(dataset.id, load)
    except DatasetNotFoundError:
        return None


def refuse_missing(error: DatasetNotFoundError) -> SpecError:
    """Return the error for a spec whose data set is not there."""
    message = f"data.id must name one of your data sets. {error} Correct the id, or upload the file again."
    return SpecError([FieldError(POINTER, "dataset_not_found", message)])


def _look_up(services: Services, tenant: str, dataset_id: str) -> FactsOf:
    try:
        dataset = services.store.get_dataset(tenant, dataset_id)
    except DatasetNotFoundError as error:
        raise refuse_missing(error) from error
    if dataset.state is DatasetState.VALIDATING:
        message = f"The data set {dataset_id} is still being read. Wait until it is ready, and submit again."
        raise SpecError([FieldError(POINTER, NOT_READY, message)])
    if dataset.state is DatasetState.INVALID:
        reason = dataset.state_reason or {}
        message = f"The data set {dataset_id} is invalid: {reason.get('message')} {reason.get('remedy')}"
        raise SpecError([FieldError(POINTER, "dataset_invalid", message)])
    facts = facts_of_dataset(services, dataset)
    if facts is None:
        raise refuse_missing(DatasetNotFoundError(dataset_id))
    return table_facts_of(facts, dataset.name or dataset_id)
