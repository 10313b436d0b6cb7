"""A search over HTTP, the same for everybody; what may be found is the scope's."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request

from chatserver.errors import InvalidCommandError
from chatserver.model.person import Department
from chatserver.web.services import Services
from transcripts.errors import UnknownZoneError
from transcripts.search import Facets, Result, Scope

MAX_RESULTS = 100
MAX_QUERY = 1_000

_FOR_STAFF = ("external_id", "score")


async def search(request: Request, services: Services, scope: Scope) -> dict[str, Any]:
    """The answer to the request's `q`, `limit`, `cursor`, `tz` and `facets`.

    Raises:
        InvalidCommandError: a limit or a zone that cannot be one. Any `q` is valid.
    """
    params = request.query_params
    limit = params.get("limit", "20")
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 3) or not 1 <= int(limit) <= MAX_RESULTS:
        raise InvalidCommandError(f"limit has to be a number from 1 to {MAX_RESULTS}.")
    try:
        found = await services.search.search(
            params.get("q", "")[:MAX_QUERY],
            scope=scope,
            limit=int(limit),
            cursor=params.get("cursor"),
            tz=params.get("tz", "UTC")[:64],
            facets=params.get("facets") == "1",
        )
    except UnknownZoneError as exc:
        raise InvalidCommandError(f"tz: {exc}") from exc
    departments = await services.directory.departments()
    answer = {
        "results": [_result(hit, departments, staff=scope.sees_notes) for hit in found.results],
        "next": found.next,
        "did_you_mean": found.did_you_mean,
        "facets": _facets(found.facets),
    }
    return {name: value for name, value in answer.items() if value is not None}


def department_fields(departments: dict[str, Department], id_: str | None) -> dict[str, str]:
    """A department by its id and its name."""
    known = departments.get(id_ or "")
    return {"id": id_ or "", "name": known.name if known else id_ or ""}


def _result(hit: Result, departments: dict[str, Department], *, staff: bool) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(hit).items() if value is not None}
    fields["department"] = department_fields(departments, hit.department)
    fields["snippet"] = [{"text": text, "match": match} for text, match in hit.snippet]
    return fields if staff else {name: value for name, value in fields.items() if name not in _FOR_STAFF}


def _facets(facets: Facets | None) -> dict[str, Any] | None:
    if facets is None:
        return None
    kinds = {"topic": facets.topics, "agent": facets.agents, "month": facets.months}
    counted = {name: [{"value": value, "chats": chats} for value, chats in found] for name, found in kinds.items()}
    return {"chats": facets.chats, "more": facets.more, **counted}
