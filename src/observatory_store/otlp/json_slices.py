"""A JSON request as several smaller ones that mean the same together."""

from __future__ import annotations

from types import GenericAlias
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw, Struct

from observatory_store.errors import UndecodableError
from observatory_store.otlp.limits import (
    MOST_OBJECTS,
    MOST_RECORDS,
    SLICE,
    check_header,
    check_json_request,
    check_size,
    too_many_records,
)
from observatory_store.otlp.repair import json_text
from observatory_store.otlp.signal import JSON_NAMES, Signal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from observatory_store.otlp.decoded import Tally


_COUNTED_FROM: Final = 1024 * 1024
"""Bytes that have not so many records that each of them could not be kept unparsed."""


class _Nothing(Struct, gc=False):
    """An object, of which nothing is kept."""


def _list(kind: Any) -> Any:  # noqa: ANN401 - types that are made at run time
    return GenericAlias(list, (kind,)) | None


def _outline(signal: Signal, *, keep: bool) -> msgspec.json.Decoder[Any]:
    """Return the decoder of a request down to its records, each unparsed, or only counted."""
    names = JSON_NAMES[signal]
    rest = [("schemaUrl", Raw, Raw(b""))] if keep else []
    record: Any = Raw if keep else _Nothing
    scope = msgspec.defstruct(
        "_Scope",
        [
            ("records", _list(record), None),
            *([("scope", Raw, Raw(b"")), *rest] if keep else []),
        ],
        rename={"records": names.records},
    )
    entry = msgspec.defstruct(
        "_Entry",
        [
            ("scopes", _list(scope), None),
            *([("resource", Raw, Raw(b"")), *rest] if keep else []),
        ],
        rename={"scopes": names.scopes},
    )
    request = msgspec.defstruct(
        "_Request", [("entries", _list(entry), None)], rename={"entries": names.entries}
    )
    return msgspec.json.Decoder(request)


_COUNTED: Final = {signal: _outline(signal, keep=False) for signal in Signal}
_KEPT: Final = {signal: _outline(signal, keep=True) for signal in Signal}


def json_slices(signal: Signal, body: bytes, tally: Tally) -> Iterator[bytes]:
    """Yield requests of about ``SLICE`` bytes, or of one record each that is larger.

    Raises:
        UndecodableError: the body is not JSON, or not in this form.
        TooManyRecordsError: there is more than a request may have of anything.

    """
    check_json_request(body)
    begin, end = b'{"%b":[' % JSON_NAMES[signal].entries.encode(), b"]}"
    waiting: list[bytes | Raw] = []
    size = 0
    for length, fragment in _fragments(signal, _taken_apart(signal, body, tally)):
        if waiting and size + length > SLICE:
            waiting[0] = begin
            yield b"".join([*waiting, end])
            waiting, size = [], 0
        waiting += [b",", *fragment]
        size += length
    if waiting:
        waiting[0] = begin
        yield b"".join([*waiting, end])


def _taken_apart(signal: Signal, body: bytes, tally: Tally) -> Any:  # noqa: ANN401 - made above
    """Return a request whose records are unparsed, repaired if that is what it needs."""
    for repaired in (False, True):
        text = json_text(body, tally) if repaired else body
        try:
            if len(text) > _COUNTED_FROM:
                _count(signal, text)
            return _KEPT[signal].decode(text)
        except (msgspec.MsgspecError, RecursionError) as error:
            if repaired:
                raise UndecodableError(f"the body is not JSON of OTLP's form: {error}") from error
    raise AssertionError


def _count(signal: Signal, body: bytes) -> None:
    """Refuse too many records, before each of them is kept."""
    try:
        request = _COUNTED[signal].decode(body)
    except msgspec.ValidationError:
        # Something else than an object is among them, which takes but two bytes.
        if body.count(b",") > MOST_OBJECTS:
            raise
        return
    scopes = [scope for entry in request.entries or () for scope in entry.scopes or ()]
    records = sum(len(scope.records) for scope in scopes if scope.records)
    if max(records, len(scopes)) > MOST_RECORDS:
        raise too_many_records()


def _fragments(
    signal: Signal,
    request: Any,  # noqa: ANN401 - made above
) -> Iterator[tuple[int, list[bytes | Raw]]]:
    """Yield entries of one resource and scope, with no more than a slice of records, in pieces."""
    names = JSON_NAMES[signal]
    within_entry = b'"%b":[{' % names.scopes.encode()
    within_scope = b'"%b":[' % names.records.encode()
    for entry in request.entries or ():
        resource = _members(resource=entry.resource, schemaUrl=entry.schemaUrl)
        for scope in entry.scopes or ():
            members = _members(scope=scope.scope, schemaUrl=scope.schemaUrl)
            head = b"".join([b"{", resource, within_entry, members, within_scope])
            run: list[bytes | Raw] = [head]
            size = len(head)
            for record in scope.records or ():
                length = len(memoryview(record)) + 1
                check_size(length)
                if size + length > SLICE and len(run) > 1:
                    check_header(len(head))
                    run[-1] = b"]}]}"
                    yield size, run
                    run, size = [head], len(head)
                run += (record, b",")
                size += length
            if len(run) > 1:
                run[-1] = b"]}]}"
                yield size, run


def _members(**members: Raw) -> bytes:
    return b"".join(
        b'"%b":%b,' % (name.encode(), value) for name, value in members.items() if bytes(value)
    )
