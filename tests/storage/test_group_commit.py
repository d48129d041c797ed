"""Which writer commits what, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from observatory_store.writers import GroupCommit, Submission, Written
from patience import PATIENCE_SECONDS


@pytest.mark.parametrize("writers", [1, 2, 3])
async def test_whoever_submits_again_at_once_is_committed(writers: int) -> None:
    """All writers end in the same moment, with nothing left: what comes then needs a new one."""
    go_on = asyncio.Event()

    async def write(submissions: Sequence[Submission[int]]) -> list[Written]:
        await go_on.wait()
        return [Written(stored=len(one.rows)) for one in submissions]

    group: GroupCommit[int] = GroupCommit(write, writers=writers)

    async def send() -> int:
        stored = 0
        for _ in range(3):
            stored += (await group.submit(Submission(project_id=1, rows=[1]))).stored
        return stored

    senders = [asyncio.create_task(send()) for _ in range(writers)]
    for _ in range(5):
        await asyncio.sleep(0)
    go_on.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asyncio.gather(*senders) == [3] * writers
    await group.close()
