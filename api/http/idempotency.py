"""`Idempotency-Key`: a repeated request gets the first answer."""

import hashlib
import json
from typing import Any

from fastapi import Request

from api.http.errors import parameter_problem
from jobs.model import IdempotencyKey, Json
from regcore.json_values import canonical

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"

_MAX_CHARACTERS = 255

KEY_PARAMETER: Json = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": _MAX_CHARACTERS, "pattern": r"^[ -~]+$"},
    "description": "Makes the call safe to repeat: for 24 h the same request gets the first answer again.",
    "example": "8f14e45f-ceea-467f-9575-2f3c1c1c6a1b",
}


def idempotency_key(request: Request, body: Any = None) -> IdempotencyKey | None:
    """Return the request's key, or None if it has none.

    Bodies are compared as JSON: other spaces, or 1.0 for 1, make no difference.

    Raises:
        ProblemError: The key is empty, too long, or not printable ASCII.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not (1 <= len(key) <= _MAX_CHARACTERS and key.isascii() and key.isprintable()):
        raise parameter_problem(
            HEADER, f"{HEADER} must be 1 to {_MAX_CHARACTERS} printable ASCII characters. Use a new UUID."
        )
    said = json.dumps(canonical(body), sort_keys=True, separators=(",", ":")).encode()
    return IdempotencyKey(f"{request.method} {request.url.path}", key, hashlib.sha256(said).hexdigest())
