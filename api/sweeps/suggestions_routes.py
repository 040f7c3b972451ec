"""Suggested sweeps."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from api.http.auth import TheTenant
from api.http.bodies import TheJson
from api.http.idempotency import KEY_PARAMETER, REPLAYED_HEADER, idempotency_key
from api.http.negotiation import json_only
from api.http.queries import NO_QUERY
from api.http.responses import JSON_BODY, example, problems
from api.services import TheServices
from api.sweeps import examples
from api.sweeps.schemas import SuggestionView
from api.sweeps.suggestions import show, suggest

router = APIRouter(prefix="/v1", tags=["sweeps"], dependencies=[Depends(json_only)])


@router.post(
    "/sweep-suggestions",
    response_model=SuggestionView,
    dependencies=[NO_QUERY],
    openapi_extra={
        "parameters": [KEY_PARAMETER],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/SuggestionRequest"},
                    "example": examples.SUGGESTION_BODY,
                }
            },
        },
    },
    responses={
        **problems(*JSON_BODY, "dataset_not_ready"),
        **example(200, examples.SUGGESTION),
    },
)
def suggest_a_sweep(
    request: Request, response: Response, services: TheServices, tenant: TheTenant, body: TheJson
) -> Any:
    """Suggest a sweep that asks which regularizer helps on some data. Nothing is stored.

    With `after`, the sweep that follows one that has ended: its best two regularizers together.
    """
    key = idempotency_key(request, body)
    known = services.store.recall(tenant, key) if key else None
    if known is not None:
        response.headers[REPLAYED_HEADER] = "true"
        return known
    said = show(suggest(services, tenant, body))
    return services.store.remember(tenant, key, said) if key else said
