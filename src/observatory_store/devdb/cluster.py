"""A private PostgreSQL cluster: one data directory and the server on it."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from observatory_store.devdb.account import server_account
from observatory_store.devdb.process import (
    ADDRESS,
    PORT_TAKEN,
    complaint,
    free_port,
    is_ready,
    shut_down,
)
from observatory_store.devdb.relocation import reachable_bin_dir
from observatory_store.devdb.watchdog import Watchdog
from observatory_store.errors import DevServerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from observatory_store.devdb.account import Account
    from observatory_store.devdb.installation import Installation

SUPERUSER = "postgres"
LOG_NAME = "server.log"
BACKGROUND_WORKERS = 16
POLL_SECONDS = 0.01
LETTERS = (
    ("--lc-ctype=C.UTF-8",),
    ("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    (),
)
"""What tells the server the letters of all languages, the best first: not every system has that
locale, nor every PostgreSQL its own, which tells cases but no punctuation. Text sorts by bytes."""
PORT_ATTEMPTS = 3


class Cluster:
    """A private server on a loopback port, open to every user of this machine.

    Its data stays in `data_dir` from one run to the next; without one, it is in a temporary
    directory (under `temporary_in`, or the system's own place) that `stop` removes. Without
    `port`, a free one is taken at the first start and kept.
    `settings` are PostgreSQL's own and win over those chosen here.
    """

    def __init__(
        self,
        installation: Installation,
        data_dir: Path | str | None = None,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        *,
        temporary_in: Path | None = None,
    ) -> None:
        self.installation = installation
        self._temporary = data_dir is None
        self._temporary_in = temporary_in
        self._data_dir = None if data_dir is None else Path(data_dir).absolute()
        self._port = port
        self._settings = dict(settings or {})
        self._account: Account | None = None
        self._bin_dir = installation.bin_dir
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: Watchdog | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def data_dir(self) -> Path:
        """The server's data directory.

        Raises:
            DevServerError: It is temporary and the server was not started.

        """
        if self._data_dir is None:
            raise DevServerError("The server is not started.")
        return self._data_dir

    @property
    def port(self) -> int:
        """The loopback port.

        Raises:
            DevServerError: The port is picked at the first start, which did not happen.

        """
        if self._port is None:
            raise DevServerError("The server is not started.")
        return self._port

    @property
    def pid(self) -> int | None:
        """Process id of the running server, or None."""
        return None if self._process is None else self._process.pid

    @property
    def url(self) -> str:
        """URL of the database `postgres`, as its superuser."""
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        """URL of the database `name`, as the superuser."""
        return f"postgresql://{SUPERUSER}@{ADDRESS}:{self.port}/{quote(name, safe='')}"

    def start(self, timeout_seconds: float = 120.0) -> None:
        """Make the data directory if it is new, start the server and wait until it answers.

        Raises:
            DevServerError: The server cannot be made or started; the message holds its own words.

        """
        if self._process is not None:
            return
        if self._data_dir is None:
            self._data_dir = self._temporary_folder() / "data"
        try:
            self._prepare(self._data_dir)
            self._launch_on_a_port(self._data_dir, timeout_seconds)
        except OSError as error:
            self.stop()
            raise DevServerError(f"The server cannot be set up: {error}") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut the server down fast: open transactions are rolled back. Harmless if stopped."""
        self._end_process()
        if self._temporary and self._data_dir is not None:
            shutil.rmtree(self._data_dir.parent, ignore_errors=True)
            self._data_dir = None

    def create_database(self, name: str) -> str:
        """Create the database `name` unless it exists, and return its URL.

        Raises:
            DevServerError: The server is not running, or refuses.

        """
        server = ["-h", ADDRESS, "-p", str(self.port), "-U", SUPERUSER]
        done = self._run("createdb", *server, "--maintenance-db=postgres", "--", name)
        if done.returncode != 0 and "already exists" not in done.stderr:
            raise DevServerError(f"Database {name} could not be created: {done.stderr.strip()}")
        return self.database_url(name)

    def _temporary_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="observatory-", dir=self._temporary_in)).resolve()
        folder.chmod(0o711)
        return folder

    def _stop_at_exit(self, starter: int) -> None:
        # A forked child inherits this registration, but the server is its parent's.
        if os.getpid() == starter:
            self.stop()

    def _end_process(self) -> None:
        atexit.unregister(self._stop_at_exit)
        if self._watchdog is not None:
            self._watchdog.release()
            self._watchdog = None
        if self._process is not None:
            shut_down(self._process)
            self._process = None

    def _prepare(self, data_dir: Path) -> None:
        made_by = data_dir / "PG_VERSION"
        if made_by.exists() and made_by.read_text().strip() != str(self.installation.major):
            raise DevServerError(
                f"{data_dir} was made by PostgreSQL {made_by.read_text().strip()}, this server is "
                f"{self.installation.version}; use that version, or another data directory."
            )
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        self._settle(data_dir)
        if made_by.exists():
            return
        if data_dir.exists() and any(data_dir.iterdir()):
            raise DevServerError(f"{data_dir} is not empty and holds no PostgreSQL cluster.")
        self._initialize(data_dir)

    def _settle(self, data_dir: Path) -> None:
        """Decide whom the programs run as and from where."""
        self._account = server_account(data_dir)
        if self._account is not None:
            self._account.open_way_to(data_dir)
            self._bin_dir = reachable_bin_dir(self.installation, self._account, data_dir.parent)

    def _initialize(self, data_dir: Path) -> None:
        # Elsewhere first, so that a killed initdb is never taken for a whole cluster.
        partial = Path(tempfile.mkdtemp(prefix=f".{data_dir.name}.", dir=data_dir.parent))
        try:
            if self._account is not None:
                os.chown(partial, self._account.uid, self._account.gid)
            layout = ["--encoding=UTF8", "--locale=C", "--auth=trust", f"--username={SUPERUSER}"]
            for letters in LETTERS:
                done = self._run(
                    "initdb", "--no-sync", *layout, *letters, "-D", self._server_path(partial)
                )
                if done.returncode == 0:
                    break
            if done.returncode != 0:
                raise DevServerError(f"initdb failed: {done.stderr.strip()}")
            partial.rename(data_dir)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _launch_on_a_port(self, data_dir: Path, timeout_seconds: float) -> None:
        if self._port is not None:
            self._launch(data_dir, timeout_seconds)
            return
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self._port = free_port()
            try:
                self._launch(data_dir, timeout_seconds)
            except DevServerError as error:
                self._end_process()
                # Somebody may take the port between our look and the server's start.
                if PORT_TAKEN not in str(error) or attempt == PORT_ATTEMPTS:
                    self._port = None
                    raise
            else:
                return

    def _launch(self, data_dir: Path, timeout_seconds: float) -> None:
        options = [f"--{name}={value}" for name, value in self._server_settings().items()]
        command = self._command("postgres", "-D", self._server_path(data_dir), *options)
        log = data_dir / LOG_NAME
        with log.open("ab") as output:
            said_before = output.tell()
            self._process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Apart from the terminal, whose Ctrl-C is for the program that uses it.
                start_new_session=True,
                **self._options(),
            )
        atexit.register(self._stop_at_exit, os.getpid())
        self._watchdog = Watchdog(
            self._process.pid, data_dir, remove=data_dir.parent if self._temporary else None
        )
        deadline = time.monotonic() + timeout_seconds
        while not is_ready(data_dir, self._process.pid):
            if self._process.poll() is not None:
                raise DevServerError(f"PostgreSQL did not start: {complaint(log, said_before)}")
            if time.monotonic() > deadline:
                raise DevServerError(
                    f"PostgreSQL is not ready after {timeout_seconds:g} s: "
                    f"{complaint(log, said_before)}"
                )
            time.sleep(POLL_SECONDS)

    def _server_settings(self) -> dict[str, str]:
        settings = {
            "listen_addresses": ADDRESS,
            "port": str(self.port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "max_worker_processes": str(BACKGROUND_WORKERS + 12),
        }
        if self.installation.timescaledb is not None:
            settings |= {
                "shared_preload_libraries": "timescaledb",
                "timescaledb.telemetry_level": "off",
                "timescaledb.max_background_workers": str(BACKGROUND_WORKERS),
            }
        return settings | self._settings

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = self._command(program, *arguments)
        try:
            return subprocess.run(  # noqa: S603
                command, capture_output=True, text=True, check=False, **self._options()
            )
        except OSError as error:
            raise DevServerError(f"{command[0]} does not run: {error}") from error

    def _options(self) -> dict[str, Any]:
        # Neither the caller's PG* variables nor its home may change what the programs do.
        environment = {
            "PATH": os.defpath,
            "LC_ALL": "C",
            "HOME": "/nonexistent",
            "PGSSLMODE": "disable",
        }
        return {"cwd": "/", "env": environment, **self._identity()}

    def _identity(self) -> dict[str, Any]:
        return {} if self._account is None else self._account.process_options()

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [str(self._bin_dir / program), *arguments]

    def _server_path(self, path: Path) -> str:
        return str(path)
