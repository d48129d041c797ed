"""What a database holds of ours, and what it should hold: a snapshot for each edition.

The snapshots are data of this package. `make snapshots` takes them anew from migrated databases.
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import TypeAlias

import msgspec

from observatory_store.errors import MigrationError
from observatory_store.schema.connection import Connection, connect, one
from observatory_store.sql import load

Catalogue: TypeAlias = dict[str, dict[str, str]]
"""Values by kind and name."""

_SQL = load("catalogue")
_ANYWHERE = (
    *("schemas", "relations", "columns", "constraints", "indexes", "triggers", "functions"),
    "comments",
)
QUERIES = {
    "postgres": _ANYWHERE,
    "apache": (*_ANYWHERE, "hypertables"),
    "community": (*_ANYWHERE, "hypertables", "columnstores", "aggregates", "refreshes"),
}
_GENERATED = re.compile(r"(_hypertable_|cagg_watermark\()\d+")


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The schema of a freshly migrated database of one edition."""

    migration: str
    """The last of those that it was made by."""
    catalogue: Catalogue


def read_catalogue(connection: Connection, edition: str) -> Catalogue:
    """Return what the database holds, with the numbers made alike that TimescaleDB gives."""
    catalogue: Catalogue = {}
    for query in QUERIES[edition]:
        for kind, name, value in connection.execute(_SQL[query]).fetchall():
            catalogue.setdefault(kind, {})[name] = _GENERATED.sub(r"\1N", value or "")
    aggregates = catalogue.get("aggregate", {})
    views = catalogue.get("view", {})
    # An aggregate's own view is an outcome of its definition.
    catalogue["view"] = {name: value for name, value in views.items() if name not in aggregates}
    return {kind: dict(sorted(found.items())) for kind, found in sorted(catalogue.items())}


def read_edition(connection: Connection) -> str:
    """Return the edition that the database was built for.

    Raises:
        MigrationError: it has no schema of ours.

    """
    if not one(connection, "SELECT to_regclass('observatory.installation') IS NOT NULL"):
        raise MigrationError(
            "the database has no schema of ours: run `observatory-store schema apply`"
        )
    return str(one(connection, "SELECT edition FROM observatory.installation"))


def load_snapshot(edition: str) -> Snapshot:
    """Return what this version of the package makes of a database of the edition."""
    file = resources.files(__package__).joinpath("snapshots", f"{edition}.json")
    return msgspec.json.decode(file.read_bytes(), type=Snapshot)


def encode(snapshot: Snapshot) -> bytes:
    """Return the snapshot as it is kept: a line for each object."""
    return msgspec.json.format(msgspec.json.encode(snapshot), indent=1) + b"\n"


def write_snapshot(url: str, migration: str) -> Path:
    """Take the snapshot of a freshly migrated database, and return the file it is kept in."""
    with connect(url, "snapshot", reads_only=True) as connection:
        edition = read_edition(connection)
        snapshot = Snapshot(migration=migration, catalogue=read_catalogue(connection, edition))
    path = Path(__file__).with_name("snapshots") / f"{edition}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encode(snapshot))
    return path
