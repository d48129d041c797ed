"""Searching by the indexes of words that finished days have."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal, TypeAlias

from observatory_store.repositories.session import Session
from observatory_store.repositories.text_query import Searched, TextQuery
from observatory_store.repositories.where import Where
from observatory_store.sql import load

MOST_FOUND = 2000
"""Texts that one request reads because an index says that they may be found."""

Relation: TypeAlias = Literal["span_payloads", "logs"]

SEARCHED: Final[dict[Relation, Searched]] = {
    "span_payloads": Searched(
        text="observatory_private.payload_text(p.input_messages, p.output_messages,"
        " p.system_instructions, p.tool_arguments, p.tool_result)",
        words="observatory_private.payload_words(p.project_id, p.input_messages,"
        " p.output_messages, p.system_instructions, p.tool_arguments, p.tool_result)",
    ),
    "logs": Searched(
        text="observatory_private.body_text(l.body)",
        words="observatory_private.body_words(l.project_id, l.body)",
    ),
}

_SQL = load("reading")
_COUNTS: Final = {"span_payloads": "count_indexed_payloads", "logs": "count_indexed_logs"}


class TextIndex:
    """The indexed days of a relation, in one request.

    An index gives what it finds in no order. So it is of use only where it finds little; of what
    is found often, the newest are found soon without it.
    """

    def __init__(self, session: Session, relation: Relation, query: TextQuery) -> None:
        self._session = session
        self._relation = relation
        self._query = query
        self._left = MOST_FOUND

    async def floor_of(self, start: datetime, time: datetime) -> datetime | None:
        """Return how far back from a time, but not before ``start``, an index is to be used."""
        found = await self._session.fetch_time(_SQL["indexed_day"], self._relation, time)
        if found is None:
            return None
        floor = max(start, found)
        where = Where(self._session.project_id, floor, time, self._left + 1)
        self._query.add_lexemes_to(where, SEARCHED[self._relation])
        count = _SQL[_COUNTS[self._relation]]
        ((texts,),) = await self._session.fetch(where.into(count), *where.arguments)
        if texts > self._left:
            return None
        self._left -= texts
        return floor
