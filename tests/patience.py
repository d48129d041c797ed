"""Waiting for what comes sooner or later, however slow and busy the machine is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PATIENCE_SECONDS = 300.0
"""Many times what anything takes: it only tells what hangs from what is slow."""


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: it did not come true.

    """
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():  # noqa: ASYNC110 - some of it is the state of other processes
                await asyncio.sleep(0.005)
    except TimeoutError as error:
        raise AssertionError("waited in vain") from error
