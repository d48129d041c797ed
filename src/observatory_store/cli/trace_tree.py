"""A trace as a tree of its spans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from rich.text import Text
from rich.tree import Tree

from observatory_store.cli.console import visible
from observatory_store.cli.units import duration, money, time
from observatory_store.repositories import Trace
from observatory_store.rows import Span

DEEPEST = 50
"""Below this, spans stand beside each other, so that lines stay readable."""


class _Place(NamedTuple):
    """Where a span will stand."""

    branch: Tree
    span: Span
    depth: int
    service_above: str | None


def trace_tree(trace: Trace) -> Tree:
    """Return the whole trace, each span below its parent.

    A span whose parent is not in the trace stands at the top; so does one of a circle of parents.
    """
    tree = Tree(_title(trace), guide_style="dim")
    children: dict[str | None, list[Span]] = defaultdict(list)
    known = {span.span_id for span in trace.spans}
    for span in trace.spans:
        children[span.parent_span_id if span.parent_span_id in known else None].append(span)
    placed: set[int] = set()
    for top in (children[None], trace.spans):
        _place(tree, top, children, placed)
    return tree


def span_line(span: Span, service_above: str | None = None) -> Text:
    """Return name, service (if another than above), duration, model, tokens, cost and error."""
    line = Text(visible(span.name), style="bold red" if span.status == "error" else "bold")
    if span.service_name and span.service_name != service_above:
        line.append(f"  {visible(span.service_name)}", style="cyan")
    line.append(f"  {duration(span.duration_us)}", style="green")
    model = span.response_model or span.request_model
    if model is not None:
        maker = f"{span.provider}/" if span.provider else ""
        line.append(f"  {visible(maker + model)}", style="magenta")
    if (tokens := _tokens(span)) is not None:
        line.append(f"  {tokens}")
    if span.time_to_first_token_ms is not None:
        line.append(f"  first token {duration(span.time_to_first_token_ms * 1000)}", style="dim")
    if span.cost_usd is not None:
        line.append(f"  {money(span.cost_usd)}", style="yellow")
    elif span.is_inference and (span.status != "error" or span.input_tokens):
        line.append("  no price", style="yellow")
    if span.status == "error":
        line.append(f"  ✗ {visible(span.status_message) or 'error'}", style="red")
    return line


def _title(trace: Trace) -> Text:
    summary = trace.summary
    title = Text(f"trace {summary.trace_id}", style="bold")
    title.append(f"  {time(summary.start_time)}", style="dim")
    title.append(f"  {duration(summary.duration_us)}", style="green")
    title.append(f"  {summary.span_count} spans")
    if summary.error_count:
        title.append(f"  {summary.error_count} errors", style="red")
    if summary.inference_count:
        title.append(f"  {summary.input_tokens:,} → {summary.output_tokens:,} tokens")
        title.append(f"  {money(summary.cost_usd)}", style="yellow")
    if summary.unpriced_count:
        title.append(f" + {summary.unpriced_count} calls without a price", style="yellow")
    if trace.truncated:
        title.append(f"  (only the first {len(trace.spans):,} spans)", style="red")
    return title


def _place(
    tree: Tree,
    top: Iterable[Span],
    children: dict[str | None, list[Span]],
    placed: set[int],
) -> None:
    # A loop and not a recursion: a chain of spans may be deeper than Python's stack.
    waiting: list[_Place] = [_Place(tree, span, 0, None) for span in reversed([*top])]
    while waiting:
        place = waiting.pop()
        span = place.span
        if id(span) in placed:
            continue
        placed.add(id(span))
        node = place.branch.add(span_line(span, place.service_above))
        branch = node if place.depth < DEEPEST else place.branch
        waiting.extend(
            _Place(branch, child, place.depth + 1, span.service_name)
            for child in reversed(children.pop(span.span_id, []))
        )


def _tokens(span: Span) -> str | None:
    if span.input_tokens is None and span.output_tokens is None:
        return None
    parts = [f"{_count(span.input_tokens)} → {_count(span.output_tokens)} tokens"]
    parts += [f"{span.cache_read_tokens:,} cached"] if span.cache_read_tokens else []
    parts += [f"{span.reasoning_tokens:,} reasoning"] if span.reasoning_tokens else []
    return ", ".join(parts)


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else f"{tokens:,}"
