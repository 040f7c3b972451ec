"""What a spec may name: each kind with its formula, source, schema and an example."""

from collections.abc import Callable
from functools import cache
from typing import Any

from fastapi import APIRouter, Depends, Response

from api.catalogue.schemas import Catalogue
from api.http.negotiation import json_only
from api.http.queries import NO_QUERY
from api.http.responses import example, problems
from regcore.spec import FAMILIES, catalogue

router = APIRouter(prefix="/v1", tags=["catalogue"], dependencies=[Depends(json_only), NO_QUERY])


@cache
def _content(family: str) -> bytes:
    entries = [entry.model_dump(by_alias=True) for entry in catalogue(family)]
    return Catalogue.model_validate({"data": entries}).model_dump_json(by_alias=True).encode()


def _make_endpoint(family: str) -> Callable[[], Response]:
    def list_family() -> Response:
        return Response(_content(family), media_type="application/json")

    return list_family


def _example(family: str) -> dict[str, Any]:
    return {"data": [entry.model_dump(by_alias=True) for entry in catalogue(family, limit=1)]}


for _family in FAMILIES:
    router.add_api_route(
        f"/{_family}",
        _make_endpoint(_family),
        methods=["GET"],
        name=f"list_{_family.replace('-', '_')}",
        summary=f"List {_family.replace('-', ' ')}",
        description=f"List the {_family.replace('-', ' ')} that a spec may name.",
        response_model=Catalogue,
        responses={**problems(), **example(200, _example(_family))},
    )
