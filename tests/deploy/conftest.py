"""Client programs, second databases, and a server with the settings of production."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.scripts import client_programs
from observatory_store.devdb import Cluster, choose
from servers import Server
from servers.source import memory_folder


@pytest.fixture(scope="session")
def programs(
    server: Server, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Client programs that are not older than the server."""
    major = int(server.versions.postgres.split(".")[0])
    folder = tmp_path_factory.mktemp("programs")
    found = client_programs(major, pytestconfig.rootpath / ".cache/trixie", folder)
    if found is None:
        pytest.skip(f"no pg_dump of PostgreSQL {major} or newer here")
    return found


@pytest.fixture
def second_database_url(server: Server) -> Iterator[str]:
    """An empty database beside the first."""
    url = server.create_empty()
    yield url
    server.drop(url)


@pytest.fixture(scope="session")
def sound_cluster() -> Iterator[Cluster]:
    """A server that forgets nothing and wants a password from all but its superuser."""
    with Cluster(choose("wheel"), temporary_in=memory_folder()) as cluster:
        rules = cluster.data_dir / "pg_hba.conf"
        rules.write_text(
            "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )
        with psycopg.connect(cluster.url, autocommit=True) as connection:
            connection.execute("SELECT pg_reload_conf()")
        yield cluster


@pytest.fixture
def sound_url(sound_cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database on that server."""
    name = f"sound_{abs(hash(request.node.name)) % 10**8}"
    yield sound_cluster.create_database(name)
    with psycopg.connect(sound_cluster.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def own_programs(sound_cluster: Cluster) -> Path:
    """The client programs of that server."""
    return sound_cluster.installation.bin_dir
