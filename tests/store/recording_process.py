"""A gateway to be killed: records the calls from FIRST on, and prints each batch that is kept.

Usage: recording_process.py URL SPOOL_DIR FIRST
"""

from __future__ import annotations

import asyncio
import sys

from observatory_store import RecordingOptions, Store
from store.calls import call

BATCH = 7


async def main(url: str, spool_dir: str, first: int) -> None:
    """Record until killed."""
    options = RecordingOptions(flush_rows=20, flush_seconds=0.01)
    async with Store.open(url, recording=options, spool_dir=spool_dir) as store:
        while True:
            for number in range(first, first + BATCH):
                await store.record(call(number))
            await store.flush()
            sys.stdout.write(f"{first}\n")
            sys.stdout.flush()
            first += BATCH


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
