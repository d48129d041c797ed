"""The queue of recorded spans: what a flush waits for."""

from __future__ import annotations

import asyncio

from hypothesis import example, given
from hypothesis import strategies as st

from observatory_store.ingest.span_queue import SpanQueue
from storage.samples import span

STEPS = st.sampled_from(["put", "drop", "take", "settle", "put back", "flush"])


class Recorded:
    """A queue, and the numbers of the spans that each flush has to wait for."""

    def __init__(self) -> None:
        self.queue = SpanQueue(most_rows=1000, most_bytes=10**9, ripe_rows=2)
        self.spans = 0
        self.present: list[int] = []
        self.taken: list[int] = []
        self.flushes: list[tuple[set[int], asyncio.Task[None]]] = []

    async def step(self, step: str) -> None:
        """Do one thing to the queue, and to what the test knows of it."""
        match step:
            case "put":
                self.spans += 1
                self.queue.put(span(self.spans), 1)
                self.present.append(self.spans)
            case "drop":
                if self.queue.drop_oldest():
                    self.present.remove(next(n for n in self.present if n not in self.taken))
            case "take":
                self.taken = [int(one.span_id, 16) for one in self.queue.take()]
            case "settle":
                self.queue.settle()
                self.present = [n for n in self.present if n not in self.taken]
                self.taken = []
            case "put back":
                self.queue.put_back()
                self.taken = []
            case _:
                flush = asyncio.create_task(self.queue.flushed())
                self.flushes.append((set(self.present), flush))
        for _ in range(5):
            await asyncio.sleep(0)


@example(["put", "put", "take", "flush", "put", "drop", "put", "drop"])
@given(st.lists(STEPS, min_size=20, max_size=60))
def test_a_flush_waits_for_exactly_what_was_there(steps: list[str]) -> None:
    """What is dropped behind a batch under way must not count as that batch: a program that ends
    after its flush would take the batch with it. Nor does a flush wait for what came after it.
    """

    async def main() -> None:
        recorded = Recorded()
        for step in steps:
            await recorded.step(step)
            for awaited, flush in recorded.flushes:
                assert flush.done() == awaited.isdisjoint(recorded.present)
        for _, flush in recorded.flushes:
            flush.cancel()

    asyncio.run(main())
