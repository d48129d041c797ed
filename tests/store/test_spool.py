"""The spool on disk: whoever writes, dies or reads, each span is there for somebody."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from observatory_store import Span, SpoolError
from observatory_store.ingest import spool as spool_module
from observatory_store.ingest.complaints import Complaints
from observatory_store.ingest.recording import Tally
from observatory_store.ingest.span_document import encode_span
from observatory_store.ingest.spool import Spool
from observatory_store.ingest.spool_format import HEADER, decode_records, encode_records
from storage.samples import span


class Opened:
    """A spool with its counters."""

    def __init__(self, folder: Path, project: str = "default", size: int = 10**9) -> None:
        self.tally = Tally()
        complaints = Complaints(logging.getLogger("test"))
        self.spool = Spool(folder, project, size, self.tally, complaints)

    async def drained(self) -> list[str]:
        """Replay everything, and return the ids in order."""
        ids: list[str] = []
        while (replay := await self.spool.oldest()) is not None:
            ids += [one.span_id for one in replay.spans]
            await self.spool.finish(replay)
        return ids


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Open a spool."""
    one = Opened(tmp_path)
    yield one
    one.spool.close()


def _ids(spans: list[Span]) -> list[str]:
    return [one.span_id for one in spans]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def test_oldest_first_over_several_segments(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What happened first is stored first, and disk space is given back as that goes on."""
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 2000)
    spans = [span(n) for n in range(1, 41)]
    for first in range(0, 40, 5):
        assert await opened.spool.append(spans[first : first + 5])
    assert len(_files(tmp_path)) > 2
    assert opened.tally.spooled_records == 40
    assert opened.spool.bytes == sum(path.stat().st_size for path in _files(tmp_path))
    assert await opened.drained() == _ids(spans)
    assert (_files(tmp_path), opened.spool.bytes) == ([], 0)


async def test_only_the_owner_reads_its_files(opened: Opened, tmp_path: Path) -> None:
    """Prompts are private: no other account of the machine may read them from the spool."""
    await opened.spool.append([span(1)])
    assert [path.stat().st_mode & 0o777 for path in _files(tmp_path)] == [0o600]
    assert opened.spool.folder.stat().st_mode & 0o777 == 0o700


async def test_two_spools_of_one_folder(opened: Opened, tmp_path: Path) -> None:
    """Workers share one setting: nobody replays what another one is writing or replaying."""
    other = Opened(tmp_path)
    await opened.spool.append([span(1)])
    assert await other.spool.oldest() is None
    await other.spool.append([span(2)])
    mine = await opened.spool.oldest()
    assert mine is not None
    assert _ids(mine.spans) == [f"{1:016x}"]
    assert await other.drained() == [f"{2:016x}"]
    await opened.spool.release()
    # Once its owner has ended, a segment is anybody's.
    assert await other.drained() == [f"{1:016x}"]
    other.spool.close()


async def test_projects_do_not_mix(opened: Opened, tmp_path: Path) -> None:
    """A gateway's projects share one folder, and each span stays in its own."""
    other = Opened(tmp_path, "../else")
    await opened.spool.append([span(1)])
    await other.spool.append([span(2)])
    assert await other.drained() == [f"{2:016x}"]
    assert other.spool.folder.parent == tmp_path
    other.spool.close()


async def test_a_segment_that_was_not_finished_comes_again(tmp_path: Path) -> None:
    """A kill between the commit and the deletion replays twice, rather than never."""
    first = Opened(tmp_path)
    await first.spool.append([span(1), span(2)])
    replay = await first.spool.oldest()
    assert replay is not None
    first.spool.close()
    second = Opened(tmp_path)
    assert await second.drained() == _ids(replay.spans)
    second.spool.close()


async def test_damage_is_counted_and_passed_over(opened: Opened, tmp_path: Path) -> None:
    """A corrupt byte costs one span; a torn tail none that was written; later segments are read."""
    await opened.spool.append([span(n) for n in range(1, 11)])
    (path,) = _files(tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content[:-7])
    opened.spool._seal()
    await opened.spool.append([span(11)])
    found = await opened.drained()
    assert len(found) == 9
    assert found[-1] == f"{11:016x}"
    assert f"{10:016x}" not in found
    assert opened.tally.damaged_records == 2
    (damaged,) = _files(tmp_path)
    assert damaged.suffix == ".damaged"
    assert damaged.stat().st_mode & 0o777 == 0o600
    assert damaged.read_bytes().endswith(content[-50:-7])
    assert opened.tally.set_aside_bytes == damaged.stat().st_size


async def test_damage_that_is_kept_is_bounded(tmp_path: Path) -> None:
    """A disk that spoils everything must not fill the spool with what is spoilt."""
    opened = Opened(tmp_path, size=16_000)
    for number in range(1, 30):
        (opened.spool.folder / f"{number:020d}-1-x.spool").write_bytes(HEADER + b"spoilt" * 50)
    assert await opened.drained() == []
    assert opened.tally.damaged_records == 29
    assert [path.stem[:20] for path in _files(tmp_path)] == [f"{n:020d}" for n in (27, 28, 29)]
    opened.spool.close()


async def test_records_of_a_newer_version_are_set_aside(
    opened: Opened, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After a downgrade, what the newer version spooled is kept, and what lies beside it stored."""
    newer = [encode_span(span(2))[:-1], msgspec.msgpack.encode({"a_log_record": 7})]
    document = msgspec.msgpack.decode(encode_span(span(3)))
    newer.append(msgspec.msgpack.encode({**document, "a_new_column": 7}))
    documents = [encode_span(span(1)), *newer, encode_span(span(4))]
    path = opened.spool.folder / "00000000000000000001-1-x.spool"
    path.write_bytes(HEADER + encode_records(documents))
    await opened.spool.append([span(5)])
    assert await opened.drained() == [f"{n:016x}" for n in (1, 4, 5)]
    (aside,) = _files(tmp_path)
    assert aside == path.with_suffix(".aside")
    assert list(decode_records(aside.read_bytes())) == newer
    assert (opened.tally.set_aside_records, opened.tally.damaged_records) == (3, 0)
    assert opened.tally.set_aside_bytes == aside.stat().st_size
    assert caplog.text.count("set aside") == 1
    # Once the newer version is back, whoever runs it gives it the name of a segment.
    aside.rename(path)
    replay = await opened.spool.oldest()
    assert replay is not None
    assert replay.undecoded == newer
    await opened.spool.release()


async def test_what_cannot_be_set_aside_stays(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a full disk the segment itself is kept, and does not keep the next one waiting."""
    path = opened.spool.folder / "00000000000000000001-1-x.spool"
    path.write_bytes(HEADER + encode_records([encode_span(span(1)), b"of a newer version"]))
    before = path.read_bytes()
    await opened.spool.append([span(2)])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool_module, "write_file", full)
    assert await opened.drained() == [f"{n:016x}" for n in (1, 2)]
    assert _files(tmp_path) == [path]
    assert path.read_bytes() == before


async def test_another_version_is_left_alone(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """After a downgrade, what the newer version spooled waits for it, untouched and told of."""
    foreign = opened.spool.folder / "00000000000000000001-1-x.spool"
    foreign.write_bytes(HEADER.replace(b"1", b"2") + b"anything")
    before = foreign.read_bytes()
    await opened.spool.append([span(1)])
    assert await opened.drained() == [f"{1:016x}"]
    assert foreign.read_bytes() == before
    assert caplog.text.count("no segment of this version") == 1


async def test_a_full_spool_takes_no_more(tmp_path: Path) -> None:
    """What was promised to be kept is kept; the size stays bounded; room comes back by replay."""
    opened = Opened(tmp_path, size=4000)
    kept = [
        f"{number:016x}" for number in range(1, 100) if await opened.spool.append([span(number)])
    ]
    assert 0 < len(kept) < 99
    assert sum(path.stat().st_size for path in _files(tmp_path)) <= 4000
    assert await opened.drained() == kept
    assert await opened.spool.append([span(100)])
    opened.spool.close()


@pytest.mark.parametrize("truncating", [True, False])
async def test_a_disk_that_refuses(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, truncating: bool
) -> None:
    """A full disk is said, not raised; what half was written does no harm to what follows."""
    await opened.spool.append([span(1)])
    written = _files(tmp_path)[0].read_bytes()
    write = os.write

    def half(descriptor: int, data: memoryview) -> int:
        if len(data) < 100:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: len(data) // 2])

    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        if not truncating:
            patch.setattr(os, "ftruncate", refuse)
        assert not await opened.spool.append([span(2)])
        assert not await opened.spool.append([span(2)])
    assert opened.tally.last_error is not None
    assert "No space left" in opened.tally.last_error
    (path,) = _files(tmp_path)
    assert (path.read_bytes() == written) == truncating
    assert await opened.spool.append([span(2)])
    assert len(_files(tmp_path)) == (1 if truncating else 2)
    assert await opened.drained() == [f"{1:016x}", f"{2:016x}"]


async def test_a_span_that_cannot_be_written_is_left_out(opened: Opened) -> None:
    """One value that no format holds must not keep its batch from the disk."""
    assert await opened.spool.append([span(1), span(2, attributes={"n": 2**70}), span(3)])
    assert (opened.tally.spooled_records, opened.tally.rejected) == (2, 1)
    assert await opened.drained() == [f"{1:016x}", f"{3:016x}"]


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """A wrong setting is told at the start, not in the first outage."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SpoolError, match="file"):
        Opened(file)


async def test_killed_at_any_byte(tmp_path: Path) -> None:
    """All that was on disk when a process was killed is read by the next one."""
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from store.test_spool import Opened; from storage.samples import span\n"
        "async def main():\n"
        "    opened, n = Opened(Path(sys.argv[1])), 0\n"
        "    while True:\n"
        "        n += 20\n"
        "        await opened.spool.append([span(n + k) for k in range(20)])\n"
        "        print(n + 19, flush=True)\n"
        "asyncio.run(main())\n"
    )
    here = str(Path(__file__).parents[1])
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": here},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for _ in range(25):
            last = int(process.stdout.readline())
        other = Opened(tmp_path)
        assert await other.spool.oldest() is None
        process.kill()
        last = max([last, *map(int, process.stdout.read().split())])
    found = await other.drained()
    assert found[: last - 19] == [f"{n:016x}" for n in range(20, last + 1)]
    assert _files(tmp_path) == []
    other.spool.close()
