"""What is known of one set of PostgreSQL server programs."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from observatory_store.errors import DevServerError

if TYPE_CHECKING:
    from pathlib import Path

OLDEST_POSTGRES = 15
OLDEST_TIMESCALEDB = (2, 19)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A directory of server programs, and what the server made from them can do."""

    bin_dir: Path
    """Where `initdb`, `postgres`, `createdb` are."""

    version: str
    """Version of the server, as `17.5`."""

    timescaledb: str | None = None
    """Version of TimescaleDB that `CREATE EXTENSION` would install, if there is one."""

    timescale_license: bool = False
    """Whether TimescaleDB came with its community (TSL) library, not the Apache one alone."""

    portable: tuple[Path, ...] = ()
    """Neighbouring directories that, copied together, work anywhere; none if that is not so."""

    @property
    def major(self) -> int:
        """Major version of the server."""
        return int(self.version.split(".", 1)[0])

    @property
    def supported(self) -> bool:
        """Whether the schema can be applied to a server made from this."""
        if self.major < OLDEST_POSTGRES:
            return False
        return self.timescaledb is None or _numbers(self.timescaledb) >= OLDEST_TIMESCALEDB

    @property
    def newness(self) -> tuple[int, ...]:
        """Key by which installations sort from the oldest to the newest."""
        return _numbers(self.version)

    @classmethod
    def inspect(cls, bin_dir: Path, *, portable: tuple[Path, ...] = ()) -> Installation:
        """Read the versions from the programs in `bin_dir`.

        Raises:
            DevServerError: The programs are missing or do not run here.

        """
        missing = [name for name in ("initdb", "postgres") if not (bin_dir / name).is_file()]
        if missing:
            raise DevServerError(f"{bin_dir} has no {' and no '.join(missing)}.")
        found = re.search(r"\d+(\.\d+)*", _output(bin_dir / "postgres", "--version"))
        if found is None:
            raise DevServerError(f"{bin_dir / 'postgres'} does not tell its version.")
        timescaledb = _extension_version(_directory(bin_dir, "--sharedir"))
        library = f"timescaledb-tsl-{timescaledb}"
        libraries = _directory(bin_dir, "--pkglibdir")
        return cls(
            bin_dir=bin_dir,
            version=found[0],
            timescaledb=timescaledb,
            timescale_license=timescaledb is not None
            and libraries is not None
            and any((libraries / f"{library}{end}").is_file() for end in (".so", ".dylib")),
            portable=portable,
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _output(program: Path, *arguments: str) -> str:
    try:
        return subprocess.run(  # noqa: S603
            [program, *arguments], capture_output=True, text=True, check=True, timeout=30
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        raise DevServerError(f"{program} does not run: {error}") from error


def _directory(bin_dir: Path, which: str) -> Path | None:
    # Some packagers put pg_config apart, with the development files.
    pg_config = bin_dir / "pg_config"
    if not pg_config.is_file():
        return None
    return type(bin_dir)(_output(pg_config, which))


def _extension_version(sharedir: Path | None) -> str | None:
    if sharedir is None:
        return None
    control = sharedir / "extension" / "timescaledb.control"
    if not control.is_file():
        return None
    found = re.search(r"^default_version\s*=\s*'([^']+)'", control.read_text(), re.MULTILINE)
    return found[1] if found else None
