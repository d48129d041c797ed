"""Running the HTTP service in this process, or in several."""

from __future__ import annotations

import gc
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from threading import Thread
from types import FrameType
from typing import Any, NoReturn, TypeAlias

import uvicorn

from observatory_store.api import create_app
from observatory_store.api.traces_endpoint import check_traces_endpoint
from observatory_store.cli.connection import read_settings
from observatory_store.errors import ObservatoryError
from observatory_store.settings import Settings

Application: TypeAlias = Callable[..., Any]
"""An ASGI application."""

FACTORY = "observatory_store.cli.service:application"
GRACE_SECONDS = 20
BACKLOG = 2048


def application() -> Application:
    """Return the service with the settings of the environment: what each worker process runs."""
    app = create_app(read_settings())
    _collect_seldom()
    _end_with_parent()
    return app


def run_service(settings: Settings, listener: socket.socket) -> None:
    """Serve on the socket until interrupted.

    Raises:
        ObservatoryError: the service did not start; its log says why.
        InvalidInputError: its traces cannot be sent, or would be sent to itself.

    """
    check_traces_endpoint(settings, *listener.getsockname()[:2])
    server = uvicorn.Server(_config(create_app(settings), settings))
    _collect_seldom()
    with suppress(KeyboardInterrupt), terminating():
        server.run(sockets=[listener])
    if not server.started:
        raise ObservatoryError("the service did not start; the lines above say why")


def run_workers(settings: Settings, workers: int) -> None:
    """Serve from several processes until interrupted. Each reads its settings from the environment.

    Raises:
        ObservatoryError: the address cannot be listened on.
        InvalidInputError: its traces cannot be sent, or would be sent to itself.

    """
    listen(settings.host, settings.port).close()
    check_traces_endpoint(settings, settings.host, settings.port)
    os.environ |= {
        "OBSERVATORY_DATABASE_URL": settings.database_url.get_secret_value(),
        "OBSERVATORY_HOST": settings.host,
        "OBSERVATORY_PORT": str(settings.port),
    }
    uvicorn.run(
        FACTORY,
        factory=True,
        workers=workers,
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level,
        access_log=False,
        lifespan="on",
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the address; port 0 takes a free one.

    Raises:
        ObservatoryError: the address is not free, or not of this machine.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number and number > 0 else str(error)
        raise ObservatoryError(f"cannot listen on {host} port {port}: {reason}") from error


def address(listener: socket.socket) -> str:
    """Return the URL of the service on a socket."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _end_with_parent() -> None:
    # uvicorn's workers outlive a parent that is killed, unwatched, and keep the port from the
    # service that is started in its place.
    parent = parent_process()
    if parent is not None:
        Thread(target=_terminate_after, args=[parent], daemon=True).start()


def _terminate_after(parent: BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def terminating() -> Iterator[None]:
    """Have SIGTERM raise KeyboardInterrupt as Ctrl-C does, so that everything is cleaned up."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _collect_seldom() -> None:
    # A request makes tens of thousands of objects that live until its commit, none in a cycle: to
    # look for cycles among them each few hundred takes 7 % of the processor's time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _config(app: Application, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level=settings.log_level,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
