"""The slow path: parse each record by itself, after a request as a whole could not be parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory_store.otlp.decoded import InvalidRecordError, Tally
from observatory_store.otlp.limits import MOST_RECORDS, at_most
from observatory_store.otlp.reader import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from observatory_store.otlp.reader import Dissector, Message


def salvage(dissector: Dissector, body: bytes, tally: Tally) -> Iterator[Batch]:
    """Yield what can be parsed, and count what cannot.

    An invalid resource or scope rejects its records, because without it they would be filed under
    the wrong sender.
    """
    _, entries = dissector.split(body, 0)
    for raw_entry in entries:
        entry_rest, scopes = dissector.split(raw_entry, 1)
        for raw_scope in scopes:
            scope_rest, records = dissector.split(raw_scope, 2)
            try:
                entry = dissector.parse(entry_rest, 1)
                scope = dissector.parse(scope_rest, 2)
            except InvalidRecordError as error:
                for raw in records:
                    _reject(dissector, raw, error, tally)
                continue
            yield Batch(entry, scope, _parsed(dissector, records, tally))


def _parsed(dissector: Dissector, records: Iterator[bytes], tally: Tally) -> Iterator[Message]:
    for raw in records:
        try:
            record = dissector.parse(raw, 3)
        except InvalidRecordError as error:
            record = _with_sound_points(dissector, raw, tally)
            if record is None:
                _reject(dissector, raw, error, tally)
                continue
        yield record


def _with_sound_points(dissector: Dissector, raw: bytes, tally: Tally) -> Message | None:
    """Return a metric without the points that cannot be parsed; None if that does not help."""
    sound: list[bytes] = []
    reasons: list[str] = []
    for point in at_most(MOST_RECORDS, dissector.points(raw)):
        try:
            dissector.parse(point, 3)
        except InvalidRecordError as error:
            reasons.append(str(error))
        else:
            sound.append(point)
    if not (sound and reasons):
        return None
    try:
        metric = dissector.parse(dissector.keep(raw, sound), 3)
    except InvalidRecordError:
        return None
    for reason in reasons:
        tally.reject(reason)
    return metric


def _reject(dissector: Dissector, raw: bytes, error: InvalidRecordError, tally: Tally) -> None:
    """Count a record that is not parsed; of a metric, its points."""
    count = sum(1 for _ in dissector.points(raw)) or 1
    tally.count(count)
    tally.reject(str(error), count)
