"""Databases for tests.

A test that takes `database_url`, `empty_database_url` or `edition` runs once for each edition of
the database that this machine can run. `@pytest.mark.editions("community")` restricts it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

from servers import Editions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server

EDITIONS = pytest.StashKey[Editions]()
DAY_SECONDS, LAST_SECONDS = 24 * 3600, 60

# The same examples in each run, however slow the machine; `--hypothesis-profile=default` looks for
# new ones.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker and look at the environment."""
    config.addinivalue_line(
        "markers", "editions(*names): run only on these editions: postgres, apache, community"
    )

    def announce(line: str) -> None:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(line)

    editions = Editions(config.rootpath / ".cache", os.environ, announce)
    try:
        editions.validate()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[EDITIONS] = editions


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that needs a database once for each edition."""
    if "edition" in metafunc.fixturenames:
        covered = list(metafunc.config.stash[EDITIONS].sources)
        metafunc.parametrize("edition", covered, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the editions that a test's marker does not name."""
    deselected = [item for item in items if not _wanted(item)]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if _wanted(item)]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say which editions were covered."""
    terminalreporter.write_sep("=", "database editions")
    for line in config.stash[EDITIONS].summary():
        terminalreporter.write_line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop every server, also after an interrupted run."""
    editions = config.stash.get(EDITIONS, None)
    if editions is not None:
        editions.close()


@pytest.fixture(scope="session")
def edition(request: pytest.FixtureRequest) -> str:
    """Name the edition that this test runs on: `postgres`, `apache` or `community`."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def server(edition: str, pytestconfig: pytest.Config) -> Server:
    """Start the server of the edition, if it does not run yet."""
    return pytestconfig.stash[EDITIONS].server(edition)


@pytest.fixture
def database_url(server: Server) -> Iterator[str]:
    """URL of a fresh database with every migration applied, dropped after the test."""
    url = server.create_migrated()
    yield url
    server.drop(url)


@pytest.fixture
def within_a_day() -> None:
    """Wait for the next day in UTC, if it begins so soon that it would amid the test."""
    left = DAY_SECONDS - time.time() % DAY_SECONDS
    if left < LAST_SECONDS:
        time.sleep(left)


@pytest.fixture
def empty_database_url(server: Server) -> Iterator[str]:
    """URL of a fresh database with nothing in it, dropped after the test."""
    url = server.create_empty()
    yield url
    server.drop(url)


def _wanted(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("editions")
    if marker is None or not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return True
    return item.callspec.params.get("edition") in marker.args
