"""Text that PostgreSQL can store.

``text`` and ``jsonb`` refuse U+0000, and neither takes a surrogate that has no partner, because it
has no UTF-8 form. Each such character becomes U+FFFD, the Unicode replacement character.
"""

from __future__ import annotations

from observatory_store.rows.attributes import AttributeValue

REPLACEMENT = "\ufffd"


def storable(text: str) -> str:
    """Return the text, with what PostgreSQL refuses replaced; the same object if nothing was."""
    if "\0" in text:
        text = text.replace("\0", REPLACEMENT)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        # UTF-16 joins two surrogates that are a pair, and its decoder replaces the lone ones.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def storable_value(value: AttributeValue) -> AttributeValue:
    """Return the value with :func:`storable` applied to every text in it, keys included.

    A tuple becomes a list.
    """
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list | tuple):
        return [storable_value(item) for item in value]
    if isinstance(value, dict):
        return {storable(key): storable_value(item) for key, item in value.items()}
    return value
