"""Running what is in ``deploy_scripts``, with client programs that fit the server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from observatory_store.devdb import Installation, choose, find_installations
from observatory_store.errors import DevServerError
from patience import PATIENCE_SECONDS
from servers.chroot import BIN_DIR

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy_scripts"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.sh") if path.name != "prelude.sh")
NOWHERE = "postgresql://postgres:secret@127.0.0.1:1/observatory"
CLIENTS = ("pg_dump", "pg_restore", "psql")


def run(
    script: str, *arguments: object, url: str | None = None, programs: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script from another folder, as cron would."""
    return shell([str(FOLDER / script), *map(str, arguments)], environment(url, programs))


def shell(
    command: Sequence[str], variables: Mapping[str, str], *, cwd: Path = Path("/")
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command,
        env=variables,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


def environment(url: str | None, programs: Path | None = None) -> dict[str, str]:
    """Return the variables of a shell that finds our command, and these programs first."""
    variables = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("OBSERVATORY_", "PG"))
    }
    folders = [Path(sys.executable).parent, *variables["PATH"].split(os.pathsep)]
    variables["PATH"] = os.pathsep.join(map(str, [programs, *folders] if programs else folders))
    if url is not None:
        variables["OBSERVATORY_DATABASE_URL"] = url
    return variables


def client_programs(major: int, chroot: Path, folder: Path) -> Path | None:
    """Return a folder with client programs for a server, those of its own version if any are here.

    Args:
        major: version of the server.
        chroot: where the Debian is whose programs run a test server, if it was built.
        folder: an empty one, for programs that start those.

    """
    fitting = {i.major: i.bin_dir for i in _installations() if i.major >= major and _has_clients(i)}
    if major not in fitting and BIN_DIR.parent.name == str(major) and (chroot / BIN_DIR).is_dir():
        return _of_chroot(chroot.resolve(), folder)
    return fitting[min(fitting)] if fitting else None


def _installations() -> list[Installation]:
    installed = find_installations()
    try:
        return [*installed, choose("wheel")]
    except DevServerError:
        return installed


def _has_clients(installation: Installation) -> bool:
    return all((installation.bin_dir / name).exists() for name in CLIENTS)


def _of_chroot(root: Path, folder: Path) -> Path | None:
    # Not inside it: the files are outside. The loader gives them the libraries they were built for.
    loaders = sorted((root / "lib64").glob("ld-linux-*")) or sorted(
        (root / "lib").glob("ld-linux-*")
    )
    libraries = ":".join(map(str, sorted((root / "usr/lib").glob("*-linux-gnu"))))
    if not loaders:
        return None
    for name in CLIENTS:
        program = folder / name
        start = f'exec "{loaders[0]}" --library-path "{libraries}" "{root / BIN_DIR / name}" "$@"'
        program.write_text(f"#!/bin/sh\n{start}\n")
        program.chmod(0o755)
    return folder
