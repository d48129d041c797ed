"""The tree of a trace, also of a strange one."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console

from observatory_store import Span, Trace, TraceSummary
from observatory_store.cli.trace_tree import trace_tree

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _span(number: int, parent: int | None, name: str = "") -> Span:
    return Span(
        trace_id="a" * 32,
        span_id=f"{number:016x}",
        parent_span_id=None if parent is None else f"{parent:016x}",
        start_time=START,
        name=name or f"span-{number}",
    )


def _lines(*spans: Span) -> list[str]:
    summary = TraceSummary(
        trace_id="a" * 32,
        start_time=START,
        end_time=START,
        duration_us=0,
        root_span_id="0" * 15 + "1",
        root_name="",
        service_name="",
        environment=None,
        user_id=None,
        session_id=None,
        span_count=len(spans),
        error_count=0,
        inference_count=0,
        unpriced_count=0,
        input_tokens=0,
        output_tokens=0,
        cache_read_tokens=0,
        cache_write_tokens=0,
        reasoning_tokens=0,
        cost_usd=Decimal(0),
        providers=(),
        models=(),
    )
    console = Console(width=500, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(trace_tree(Trace(summary=summary, spans=spans, truncated=False)))
    return capture.get().splitlines()[1:]


def _depths(lines: list[str]) -> list[tuple[int, str]]:
    return [
        (len(line.split("span-")[0]) // 4, "span-" + line.split("span-")[1].split()[0])
        for line in lines
    ]


def test_children_stand_below_their_parents() -> None:
    """In the order they began, siblings together."""
    lines = _lines(_span(1, None), _span(2, 1), _span(3, 1), _span(4, 2))
    assert _depths(lines) == [(1, "span-1"), (2, "span-2"), (3, "span-4"), (2, "span-3")]


def test_spans_without_their_parent_stand_at_the_top() -> None:
    """An entry span's parent may never arrive; the span must not vanish."""
    assert _depths(_lines(_span(1, None), _span(2, 99))) == [(1, "span-1"), (1, "span-2")]


def test_a_circle_of_parents() -> None:
    """A sender's mistake must neither hang the command nor hide spans."""
    lines = _lines(_span(1, 2), _span(2, 1), _span(3, 3), _span(4, 3))
    assert sorted(name for _, name in _depths(lines)) == ["span-1", "span-2", "span-3", "span-4"]


def test_a_span_id_twice() -> None:
    """Two spans of one id are two lines."""
    lines = _lines(_span(1, None), _span(1, None), _span(2, 1))
    assert [name for _, name in _depths(lines)] == ["span-1", "span-2", "span-1"]


def test_a_deep_chain() -> None:
    """A recursion without an end, as agents make, is shown to the last span."""
    chain = [_span(number, number - 1 if number else None) for number in range(3000)]
    assert len(_lines(*chain)) == 3000


def test_a_terminal_is_not_commanded_by_a_span() -> None:
    """Names come from anyone who may write; escape sequences and markup are only text."""
    (line,) = _lines(_span(1, None, "\x1b[2J\n[red]span-x[/red]"))
    assert "\x1b" not in line
    assert "[red]span-x[/red]" in line
