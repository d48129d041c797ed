"""Text that PostgreSQL takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory_store.rows.text import storable, storable_value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("Grüße 😀", "Grüße 😀"),
        ("a\0b", "a\ufffdb"),
        ("\ud800", "\ufffd"),
        ("x\udc00y", "x\ufffdy"),
        ("\ud83d\ude00", "😀"),
        ("\0\ud800é", "\ufffd\ufffdé"),
    ],
)
def test_only_what_postgres_refuses_is_replaced(text: str, expected: str) -> None:
    """A prompt would come back altered, or would fail its batch."""
    assert storable(text) == expected


@given(st.text(st.characters(codec=None)))
def test_any_text_becomes_storable(text: str) -> None:
    """A text that nobody thought of would fail its batch."""
    repaired = storable(text)
    assert "\0" not in repaired
    assert repaired.encode().decode() == repaired
    assert storable(repaired) is repaired


def test_attributes_are_repaired_at_every_depth() -> None:
    """A NUL inside a nested value would fail its batch."""
    assert storable_value({"k\0": [{"\ud800": "v\0"}, 1, b"\0", None]}) == {
        "k\ufffd": [{"\ufffd": "v\ufffd"}, 1, b"\0", None]
    }
