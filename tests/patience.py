"""Waiting for what comes sooner or later, however slow and busy the machine is."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 300.0
"""Many times what anything takes: it only tells what hangs from what is slow."""


async def until(
    condition: Callable[[], bool | Awaitable[bool]], *, seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: it did not come true.

    """
    try:
        async with asyncio.timeout(seconds):
            while True:
                holds = condition()
                if await holds if inspect.isawaitable(holds) else holds:
                    return
                await asyncio.sleep(0.005)
    except TimeoutError as error:
        raise AssertionError("waited in vain") from error
