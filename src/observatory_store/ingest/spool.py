"""Spans on disk for the time that the database is away.

Each project has a folder, which any number of stores and processes may use at once: every segment
belongs to whoever holds its lock. What has been written is never dropped but by being replayed; a
spool that is full takes no more. What cannot be replayed is set aside in the same folder.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import msgspec

from observatory_store.errors import InvalidInputError, SpoolError
from observatory_store.ingest.complaints import Complaints
from observatory_store.ingest.recording import MEBIBYTE, Tally
from observatory_store.ingest.span_document import decode_span, encode_span
from observatory_store.ingest.spool_format import (
    HEADER,
    Damage,
    decode_records,
    encode_records,
    is_readable,
)
from observatory_store.ingest.spool_segment import (
    ASIDE,
    DAMAGED,
    LockedFile,
    files,
    new_path,
    remove_unborn,
    segments,
    size_of,
    write_file,
)
from observatory_store.rows import Span

SEGMENT_BYTES = 8 * MEBIBYTE
"""Bytes after which a segment is full, and the next one begins."""

DAMAGED_SHARE = 16
"""What part of the spool's bytes may be damaged ones, of which the oldest are dropped."""

_logger = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A segment to replay."""

    path: Path
    spans: list[Span]
    undecoded: list[bytes]
    """Documents of it that this version does not know, as a newer one writes them."""
    damaged: list[bytes]
    """Stretches of it that are no record."""


class Spool:
    """The spool of one project, as one store uses it.

    All work on files happens in one thread of its own, so that neither the event loop nor the
    program's other threads wait for the disk.
    """

    def __init__(
        self,
        folder: Path,
        project: str,
        most_bytes: int,
        tally: Tally,
        complaints: Complaints,
    ) -> None:
        """Make the folder if it is not there.

        Raises:
            SpoolError: this process cannot write to it.

        """
        self.folder = folder / f"project-{quote(project, safe='')}"
        self._most_bytes = most_bytes
        self._tally = tally
        self._complaints = complaints
        self._active: LockedFile | None = None
        self._claimed: LockedFile | None = None
        self._left_alone: set[Path] = set()
        try:
            # The segments hold what people wrote to models.
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            LockedFile.create(self.folder).delete()
            remove_unborn(self.folder)
            self.bytes = size_of(self.folder)
            tally.set_aside_bytes = size_of(self.folder, ASIDE, DAMAGED)
        except OSError as error:
            raise SpoolError(f"the spool cannot be kept in {folder}: {error}") from error
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="observatory-spool")

    async def append(self, spans: Sequence[Span]) -> bool:
        """Return whether the spans are on disk; if not, the spool is full or the disk refuses."""
        return self._counted(len(spans), await self._in_thread(lambda: self._append(spans)))

    def append_at_once(self, spans: Sequence[Span]) -> bool:
        """Like :meth:`append`, where there is no time left to await anything."""
        return self._counted(len(spans), self._thread.submit(self._append, spans).result())

    async def set_aside(self, spans: Sequence[Span]) -> bool:
        """Keep spans that nobody can store; return False if there is no room for them."""
        return await self._in_thread(lambda: self._set_aside(spans))

    async def oldest(self, passed_over: Container[Path] = ()) -> Replay | None:
        """Claim the oldest segment that nobody else has, and that is not to be passed over.

        :meth:`finish` it; else :meth:`release` it, as the next call does. None if there is none.
        """
        return await self._in_thread(lambda: self._oldest(passed_over))

    async def finish(self, replay: Replay) -> None:
        """Delete the claimed segment, whose spans are all done with; keep what was no span."""
        await self._in_thread(lambda: self._finish(replay))

    async def release(self) -> None:
        """Leave the claimed segment to whoever comes next."""
        await self._in_thread(self._release)

    def close(self) -> None:
        """End the thread, and leave all segments to whoever comes next."""
        self._thread.submit(self._seal)
        self._thread.submit(self._release)
        self._thread.shutdown()

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _counted(self, count: int, refused: int | None) -> bool:
        if refused is None:
            return False
        self._tally.rejected += refused
        self._tally.spooled_records += count - refused
        return True

    def _append(self, spans: Sequence[Span]) -> int | None:
        """Return how many of the spans cannot be written at all; None if the others are not."""
        documents = self._documents(spans)
        data = encode_records(documents)
        try:
            if not self._has_room(len(HEADER) + len(data)):
                self._complain("full", f"the spool is full: {self.bytes} bytes in {self.folder}")
                return None
            if self._active is not None and self._active.size >= SEGMENT_BYTES:
                self._seal()
            if self._active is None:
                self._active = LockedFile.create(self.folder)
            self._active.append(data)
        except OSError as error:
            if self._active is not None and self._active.is_closed:
                self._active = None
            self._complain("writing", f"the spool cannot be written: {error}")
            return None
        self.bytes = size_of(self.folder)
        return len(spans) - len(documents)

    def _documents(self, spans: Sequence[Span]) -> list[bytes]:
        documents: list[bytes] = []
        for span in spans:
            try:
                documents.append(encode_span(span))
            except InvalidInputError as error:
                self._complaints.warn("encoding", str(error))
        return documents

    def _has_room(self, size: int) -> bool:
        self.bytes = size_of(self.folder)
        self._tally.set_aside_bytes = size_of(self.folder, ASIDE, DAMAGED)
        return self.bytes + self._tally.set_aside_bytes + size <= self._most_bytes

    def _set_aside(self, spans: Sequence[Span]) -> bool:
        documents = self._documents(spans)
        content = HEADER + encode_records(documents)
        try:
            if len(documents) < len(spans) or not self._has_room(len(content)):
                return False
            path = new_path(self.folder).with_suffix(ASIDE)
            write_file(path, content)
        except OSError as error:
            self._complain("writing", f"the spool cannot be written: {error}")
            return False
        self._tally.set_aside_records += len(spans)
        self._tally.set_aside_bytes = size_of(self.folder, ASIDE, DAMAGED)
        _logger.error("%d spans that the database fails at are set aside: %s", len(spans), path)
        return True

    def _seal(self) -> None:
        if self._active is not None:
            self._active.close()
            self._active = None

    def _oldest(self, passed_over: Container[Path]) -> Replay | None:
        self._release()
        self.bytes = size_of(self.folder)
        for path in segments(self.folder):
            if path in self._left_alone or path in passed_over:
                continue
            if self._active is not None and path == self._active.path:
                self._seal()
            try:
                self._claimed = LockedFile.claim(path)
                if self._claimed is None:
                    continue
                data = self._claimed.read()
            except OSError as error:
                self._leave_alone(path, f"cannot be read: {error}")
                continue
            if is_readable(data):
                return _replay(path, data)
            self._leave_alone(path, "is no segment of this version of the spool")
        return None

    def _finish(self, replay: Replay) -> None:
        if self._claimed is not None:
            try:
                self._keep(replay)
                self._claimed.delete()
            except OSError as error:
                self._leave_alone(replay.path, f"is stored, but cannot be deleted: {error}")
            self._claimed = None
        self.bytes = size_of(self.folder)
        self._tally.set_aside_bytes = size_of(self.folder, ASIDE, DAMAGED)

    def _keep(self, replay: Replay) -> None:
        if replay.undecoded:
            aside = replay.path.with_suffix(ASIDE)
            write_file(aside, HEADER + encode_records(replay.undecoded))
            self._tally.set_aside_records += len(replay.undecoded)
            _logger.error(
                "%d records that this version does not know, as a newer one writes them,"
                " are set aside: %s",
                len(replay.undecoded),
                aside,
            )
        if replay.damaged:
            damaged = replay.path.with_suffix(DAMAGED)
            write_file(damaged, b"".join(replay.damaged))
            self._tally.damaged_records += len(replay.damaged)
            _logger.warning("%d damaged parts are set aside: %s", len(replay.damaged), damaged)
            most = self._most_bytes // DAMAGED_SHARE
            for oldest in files(self.folder, DAMAGED):
                if size_of(self.folder, DAMAGED) <= most:
                    break
                oldest.unlink(missing_ok=True)
                _logger.warning("%s is deleted: damaged parts have %d bytes", oldest, most)

    def _release(self) -> None:
        if self._claimed is not None:
            self._claimed.close()
            self._claimed = None

    def _leave_alone(self, path: Path, why: str) -> None:
        self._release()
        self._left_alone.add(path)
        _logger.error("%s %s; it is left alone", path, why)

    def _complain(self, kind: str, message: str) -> None:
        self._tally.note(message)
        self._complaints.warn(kind, message)


def _replay(path: Path, segment: bytes) -> Replay:
    spans: list[Span] = []
    undecoded: list[bytes] = []
    damaged: list[bytes] = []
    for record in decode_records(segment):
        if isinstance(record, Damage):
            damaged.append(record.content)
            continue
        try:
            spans.append(decode_span(record))
        except InvalidInputError:
            undecoded.append(record)
    return Replay(path=path, spans=spans, undecoded=undecoded, damaged=damaged)
