"""A trace's spans as a tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from observatory_store.rows import Span


def depth_first(spans: Sequence[Span]) -> Iterator[tuple[int, Span]]:
    """Yield each span once, with its depth, after its parent; siblings in the order given.

    A span whose parent is not among the spans is a root. Of spans that are each other's ancestors,
    which only a broken sender makes, the first becomes a root too. Children of an id that two spans
    have follow the first of these.
    """
    by_id: dict[str, int] = {}
    for index, span in enumerate(spans):
        by_id.setdefault(span.span_id, index)
    children: defaultdict[int, list[int]] = defaultdict(list)
    roots: list[int] = []
    for index, span in enumerate(spans):
        parent = by_id.get(span.parent_span_id or "")
        if parent is None:
            roots.append(index)
        else:
            children[parent].append(index)
    seen: set[int] = set()
    for root in (*roots, *range(len(spans))):
        stack = [(0, root)]
        while stack:
            depth, index = stack.pop()
            if index in seen:
                continue
            seen.add(index)
            yield depth, spans[index]
            stack.extend((depth + 1, child) for child in reversed(children[index]))
