"""Which provider a span names."""

from __future__ import annotations

from observatory_store.llm import conversion
from observatory_store.rows import AttributeValue
from observatory_store.rows.provider import WELL_KNOWN, known_provider


def provider(value: AttributeValue) -> str | None:
    """Accept what :func:`conversion.text` accepts, and return the vocabulary's name for it.

    A name that is not known stays as it is.
    """
    found = conversion.text(value)
    if found is None or found in WELL_KNOWN:
        return found
    return known_provider(found) or found
