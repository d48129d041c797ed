"""The records of a request, each beside the resource that sent it."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING, NamedTuple

from observatory_store.otlp.decoded import InvalidRecordError, Tally
from observatory_store.otlp.json import JsonReader
from observatory_store.otlp.limits import MOST_RECORDS, at_most
from observatory_store.otlp.media_type import MediaType
from observatory_store.otlp.protobuf import ProtobufReader
from observatory_store.otlp.resources import read_resource
from observatory_store.otlp.signal import Signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from observatory_store.otlp.reader import Message, Reader
    from observatory_store.rows import Resource

_MAX_TIME = 2**64 - 1


class Sender(NamedTuple):
    """Records of one resource and scope."""

    resource: Resource
    records: Iterable[Message]


def reader_for(signal: Signal, media_type: MediaType, tally: Tally) -> Reader:
    """Return the reader of an encoding."""
    match media_type:
        case MediaType.PROTOBUF:
            return ProtobufReader(signal, tally)
        case MediaType.JSON:
            return JsonReader(signal, tally)


def senders(signal: Signal, body: bytes, reader: Reader, tally: Tally) -> Iterator[Sender]:
    """Yield the records of a body by sender; those of an invalid resource are rejected.

    Raises:
        TooManyRecordsError: there are more than a request may have; also while records are read.

    """
    for entry, scope, records in at_most(MOST_RECORDS, reader.batches(body)):
        counted: Iterable[Message]
        if signal is Signal.METRICS or not isinstance(records, Sized):
            counted = _counted(signal, records, reader, tally)
        else:
            tally.count(len(records))
            counted = records
        try:
            yield Sender(read_resource(entry, scope, reader), counted)
        except InvalidRecordError as error:
            count = sum(weight(signal, record, reader) for record in counted)
            if count:
                tally.reject(f"in a resource or scope, {error}", count)


def _counted(
    signal: Signal, records: Iterable[Message], reader: Reader, tally: Tally
) -> Iterator[Message]:
    for record in records:
        tally.count(weight(signal, record, reader))
        yield record


def weight(signal: Signal, record: Message, reader: Reader) -> int:
    """Return how many records ``partial_success`` counts for one: of a metric, its points."""
    if signal is not Signal.METRICS:
        return 1
    data = reader.choice(record, "data")
    return (data and len(getattr(record, data).data_points)) or 1


def check_times(*times: int) -> None:
    """Raise ``InvalidRecordError`` if a time is not a uint64, which only JSON can say."""
    for time in times:
        if time > _MAX_TIME:
            raise InvalidRecordError(f"a time of {time} ns is after the year 2554")
