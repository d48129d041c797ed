"""The indexes of words: one for each finished day of payloads and log bodies in the row store."""

from __future__ import annotations

from observatory_store.database import Connection, Pool
from observatory_store.maintenance.locks import SECONDS, WORDS, release
from observatory_store.sql import load

_SQL = load("maintenance")
_RELATIONS = ("span_payloads", "logs")


async def index_texts(pool: Pool) -> list[str]:
    """Index the days that are finished, drop the indexes of older ones; say what was done.

    Does nothing while another process is at it. What was broken off is begun anew by the next run.
    """
    async with pool.acquire() as connection:
        # Not waited for: a session that waits holds a snapshot, which the building would wait for.
        if not await connection.fetchval(_SQL["try_lock"], WORDS):
            return []
        try:
            await connection.execute(_SQL["take_your_time"])
            await connection.execute(_SQL["wait_for_locks"])
            return [line for relation in _RELATIONS for line in await _index(connection, relation)]
        finally:
            await release(connection, WORDS)


async def _index(connection: Connection, relation: str) -> list[str]:
    lines = []
    for day in await connection.fetch(_SQL["text_index_commands"], relation):
        await connection.execute(day["drop_index"], timeout=SECONDS)
        if day["is_finished"]:
            await connection.execute(day["create_index"], timeout=SECONDS)
        done = "indexed" if day["is_finished"] else "dropped the index of"
        lines.append(f"{relation}: {done} the words of {day['first']:%Y-%m-%d}")
    return lines
