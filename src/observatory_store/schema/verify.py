"""Comparing a database with what this package makes of one."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from psycopg import sql

from observatory_store.errors import MigrationError
from observatory_store.schema.connection import Connection
from observatory_store.schema.snapshot import (
    Catalogue,
    load_snapshot,
    read_catalogue,
    read_edition,
)
from observatory_store.schema.source import Migration
from observatory_store.schema.status import State, listed, read_status
from observatory_store.sql import load

_SQL = load("catalogue")
_LIVE = {
    "postgres": (),
    "apache": ("chunk_intervals",),
    "community": ("chunk_intervals", "jobs", "failed_jobs"),
}
# Somebody may add an index, and what TimescaleDB adds is its own.
_ADDED_IS_FINE = {"index", "columnstore", "refresh policy", "comment", "schema"}
# These are printed as they were written.
_EXACT = {"function", "comment"}
_OUTER = ("schema", "table", "view", "aggregate", "function")


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as this package makes it."""

    kind: str
    """`table`, `column`, `index`, `comment`, `migration`, …"""
    name: str
    found: str | None
    """None if it is missing."""
    expected: str | None
    """None if nothing of that name belongs there."""
    mend: str
    """The statement, or the command, that mends it."""

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.kind} {self.name} is missing"
        if self.expected is None:
            return f"{self.kind} {self.name} is not of this package"
        return f"{self.kind} {self.name} is {self.found!r}, not {self.expected!r}"


_PROMOTION = Divergence(
    kind="promotion",
    name="of the database",
    found="under way, or was stopped",
    expected="at its end",
    mend="observatory-store schema promote",
)


def find_divergences(connection: Connection, migrations: Sequence[Migration]) -> list[Divergence]:
    """Return what is not as it should be; nothing if all is. Writes nothing.

    Raises:
        MigrationError: the database has no schema of ours, or not the one of this version.

    """
    edition = read_edition(connection)
    status = read_status(connection, migrations)
    if away := status.of(State.PENDING, State.UNKNOWN):
        raise MigrationError(
            f"the database is not at this version ({listed(away)}), so there is nothing to "
            "compare it with: see `observatory-store schema status`"
        )
    drifted = _drifted(status.of(State.DRIFTED))
    if status.promoting:
        # What it has built so far is of neither edition, and not to be mended by hand.
        return [*drifted, _PROMOTION]
    expected = load_snapshot(edition).catalogue
    found = read_catalogue(connection, edition)
    return [
        *drifted,
        *_compared(connection, expected, found, migrations),
        *(
            Divergence(kind=kind, name=name, found=value, expected=wanted, mend=mend)
            for query in _LIVE[edition]
            for kind, name, value, wanted, mend in connection.execute(_SQL[query]).fetchall()
        ),
    ]


def _drifted(ids: list[str]) -> list[Divergence]:
    return [
        Divergence(
            kind="migration",
            name=id_,
            found="another text",
            expected="what was applied",
            mend=f"observatory-store schema reapply {id_}",
        )
        for id_ in ids
    ]


def _compared(
    connection: Connection,
    expected: Catalogue,
    found: Catalogue,
    migrations: Sequence[Migration],
) -> list[Divergence]:
    divergences = []
    missing: set[str] = set()
    kinds = sorted(expected.keys() | found.keys(), key=_order)
    for kind in kinds:
        wanted, there = expected.get(kind, {}), found.get(kind, {})
        for name in sorted(wanted.keys() | there.keys()):
            value, present = wanted.get(name), there.get(name)
            if not missing.isdisjoint(_wholes(kind, name)) or (
                value is None and kind in _ADDED_IS_FINE
            ):
                continue
            if value is None or present is None:
                missing.add(name)
            elif value == present or (kind not in _EXACT and essence(value) == essence(present)):
                continue
            mend = _mend(connection, kind, name, value, present)
            if kind == "column" and present is None:
                # Its comment went with it, and is not told apart.
                column = f"COLUMN {name.replace(': ', '.')}"
                comment = expected["comment"].get(column)
                mend += " " + _mend(connection, "comment", column, comment, "")
            divergences.append(
                Divergence(
                    kind=kind,
                    name=name,
                    found=present,
                    expected=value,
                    mend=mend or _reapply(name, migrations),
                )
            )
    return divergences


def _order(kind: str) -> tuple[bool, int, str]:
    return (kind not in _OUTER, _OUTER.index(kind) if kind in _OUTER else 0, kind)


def _wholes(kind: str, name: str) -> list[str]:
    """Return the names of what this is a part of, which are told once if they are missing."""
    if kind != "comment":
        return [name.partition(": ")[0]] if ": " in name else []
    what, _, object_ = name.partition(" ")
    if what != "COLUMN":
        return [object_]
    relation, _, column = object_.rpartition(".")
    return [relation, f"{relation}: {column}"]


def essence(value: str) -> str:
    """Return what stays the same between versions of the server, which print it differently."""
    return re.sub(r"\b[a-z_]\w*\.(?=[\w\"])|::\w+(\[\])?|[\s()]", "", value)


def _mend(
    connection: Connection, kind: str, name: str, value: str | None, present: str | None
) -> str:
    relation, _, part = name.partition(": ")
    if kind == "column" and value is not None and present is not None:
        return _alter_column(relation, part, value)
    table = _REMOVE if value is None else _CREATE if present is None else _CHANGE
    value = value or ""
    return table.get(kind, "").format(
        name=name,
        relation=relation,
        schema=relation.partition(".")[0],
        part=part,
        value=value.rstrip().rstrip(";"),
        literal=sql.Literal(value).as_string(connection),
    )


def _alter_column(relation: str, column: str, value: str) -> str:
    type_ = re.split(r" (?:DEFAULT|GENERATED|NOT NULL)\b", value)[0]
    default = re.search(r" DEFAULT (.*?)(?: NOT NULL)?$", value)
    alter = f"ALTER COLUMN {column}"
    changes = [
        f"{alter} TYPE {type_}",
        f"{alter} SET DEFAULT {default[1]}" if default else f"{alter} DROP DEFAULT",
        f"{alter} {'SET' if value.endswith('NOT NULL') else 'DROP'} NOT NULL",
    ]
    if "GENERATED" in value:
        del changes[1]
    return f"ALTER TABLE {relation} {', '.join(changes)};"


def _reapply(name: str, migrations: Sequence[Migration]) -> str:
    """Return the command that runs the last migration again that makes something of this name."""
    word = re.split(r"[.(]", name.partition(": ")[0])[1]
    for migration in reversed(migrations):
        text = "\n".join(migration.statements)
        if re.search(rf"(CREATE [A-Z ]+ [a-z_.]+\.{word}\b|build_rollup\('{word}'\))", text):
            return f"observatory-store schema reapply {migration.id}"
    return f"observatory-store schema reapply {migrations[-1].id}"


_CREATE = {
    "column": "ALTER TABLE {relation} ADD COLUMN {part} {value};",
    "constraint": "ALTER TABLE {relation} ADD CONSTRAINT {part} {value};",
    "index": "{value};",
    "trigger": "{value};",
    "comment": "COMMENT ON {name} IS {literal};",
    "hypertable": "SELECT create_hypertable('{name}', by_range('{value}'), migrate_data => true);",
}
_CHANGE = {
    "constraint": "ALTER TABLE {relation} DROP CONSTRAINT {part}, ADD CONSTRAINT {part} {value};",
    "index": "DROP INDEX {schema}.{part}; {value};",
    "trigger": "DROP TRIGGER {part} ON {relation}; {value};",
    "function": "{value};",
    "view": "CREATE OR REPLACE VIEW {name} AS {value};",
    "comment": _CREATE["comment"],
}
_REMOVE = {
    "table": "DROP TABLE {name};",
    "view": "DROP VIEW {name};",
    "column": "ALTER TABLE {relation} DROP COLUMN {part};",
    "constraint": "ALTER TABLE {relation} DROP CONSTRAINT {part};",
    "trigger": "DROP TRIGGER {part} ON {relation};",
    "function": "DROP FUNCTION {name};",
    "invalid index": "DROP INDEX {schema}.{part};",
}
