"""The command, as the tests run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from observatory_store.cli import main

PROGRAM = Path(sys.executable).with_name("observatory-store")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of the command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)


class Command(Protocol):
    """``command("keys", "list")`` runs it."""

    def __call__(self, *arguments: str) -> Outcome:
        """Run the verb to its end."""


class Start(Protocol):
    """``start("serve")`` starts it as a process; ``variables`` add to its environment."""

    def __call__(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start the verb."""


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command in this process, as its entry point does."""
    for name in [name for name in os.environ if name.startswith("OBSERVATORY_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        code = exit_.value.code
        assert isinstance(code, int)
        captured = capsys.readouterr()
        return Outcome(code=code, out=captured.out, err=captured.err)

    return run


@pytest.fixture
def on_database(command: Command, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Command:
    """Run the command on a fresh migrated database."""
    monkeypatch.setenv("OBSERVATORY_DATABASE_URL", database_url)
    return command


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the command as a process; it is ended after the test."""
    with ExitStack() as stack:

        def run(*arguments: str, **variables: str) -> subprocess.Popen[str]:
            inherited = {k: v for k, v in os.environ.items() if not k.startswith("OBSERVATORY_")}
            process = subprocess.Popen(
                [PROGRAM, *arguments],
                env={**inherited, "PYTHONUNBUFFERED": "1", **variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            stack.callback(_end, process)
            return process

        yield run


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
