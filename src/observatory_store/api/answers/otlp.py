"""OTLP documents as answers."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import Response

NEXT_CURSOR = "X-Next-Cursor"
"""The header that has the cursor, for which an OTLP document has no field."""


def otlp_answer(document: dict[str, Any], next_cursor: str | None = None) -> Response:
    """Return an OTLP JSON document."""
    headers = {} if next_cursor is None else {NEXT_CURSOR: next_cursor}
    return Response(msgspec.json.encode(document), headers=headers, media_type="application/json")
