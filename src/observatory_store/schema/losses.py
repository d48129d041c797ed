"""What a rollback takes away: found in its statements, measured, and exported first."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec
from psycopg import sql

from observatory_store.errors import InvalidInputError
from observatory_store.schema.connection import Connection, one
from observatory_store.schema.lock import Progress
from observatory_store.schema.sizes import size_and_estimate
from observatory_store.schema.source import Migration

_TABLE = re.compile(r"\bDROP TABLE (?:IF EXISTS )?(observatory(?:_private)?)\.(\w+)", re.IGNORECASE)
_ROLLUP = re.compile(r"\bdrop_(rollup)\('(\w+)'\)")
_COLUMN = re.compile(
    r"\bALTER TABLE (?:IF EXISTS )?(?:ONLY )?(observatory(?:_private)?)\.(\w+)"
    r"\s+DROP COLUMN (?:IF EXISTS )?(\w+)",
    re.IGNORECASE,
)
_COUNTED_BYTES = 64 * 2**20
_BUFFER_BYTES = 2**20


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Data that a rollback would drop."""

    migration: str
    schema: str
    name: str
    column: str | None
    """The only column that goes; None if all of the relation does."""
    rows: int | None
    """Counted where that is quick, else estimated; None for a rollup."""
    bytes: int | None
    """With indexes and chunks; None for a rollup, or for a column."""

    @property
    def relation(self) -> str:
        """The relation's name with its schema."""
        return f"{self.schema}.{self.name}"


def find_losses(connection: Connection, migrations: Iterable[Migration]) -> list[Loss]:
    """Return what has data and would go, in the order in which it would."""
    return [
        loss
        for migration in migrations
        for schema, name, column in _dropped("\n".join(migration.rollback))
        if (loss := _measured(connection, migration.id, schema, name, column)) is not None
    ]


def export(
    connection: Connection, losses: Iterable[Loss], folder: Path, progress: Progress
) -> list[Path]:
    """Write each relation whole to a file of gzipped CSV, and return the files.

    Raises:
        InvalidInputError: a file is there already, or the folder cannot be written to.

    """
    found = {loss.relation: loss for loss in losses}
    files = {folder / f"{relation}.csv.gz": loss for relation, loss in found.items()}
    for path in files:
        if path.exists():
            raise InvalidInputError(f"{path} is there already: name another folder")
    if not files:
        progress("nothing to export: no data would be lost")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, loss in files.items():
            progress(f"exporting {loss.relation} to {path}")
            _export(connection, loss, path)
    except OSError as error:
        raise InvalidInputError(f"cannot export to {folder}: {error}") from error
    return list(files)


def _export(connection: Connection, loss: Loss, path: Path) -> None:
    unfinished = path.with_suffix(".part")
    query = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT csv, HEADER, ENCODING 'UTF8')")
    with (
        unfinished.open("wb", buffering=_BUFFER_BYTES) as file,
        connection.cursor() as cursor,
        cursor.copy(query.format(sql.Identifier(loss.schema, loss.name))) as rows,
    ):
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=1) as packed:
            for block in rows:
                packed.write(block)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)


def _dropped(text: str) -> list[tuple[str, str, str | None]]:
    return [
        *((schema, name, None) for schema, name in _TABLE.findall(text)),
        *(("observatory", name, None) for _, name in _ROLLUP.findall(text)),
        *_COLUMN.findall(text),
    ]


def _measured(
    connection: Connection, migration: str, schema: str, name: str, column: str | None
) -> Loss | None:
    relation = sql.Identifier(schema, name)
    quoted = relation.as_string(connection)
    kind = one(connection, "SELECT relkind FROM pg_class WHERE oid = to_regclass(%s)", quoted)
    if (
        kind is None
        or not connection.execute(
            sql.SQL("SELECT FROM {} {} LIMIT 1").format(
                relation,
                sql.SQL("WHERE {} IS NOT NULL").format(sql.Identifier(column))
                if column
                else sql.SQL(""),
            )
        ).fetchall()
    ):
        return None
    size = rows = None
    if kind == "r":
        size, rows = size_and_estimate(connection, quoted)
        if size <= _COUNTED_BYTES:
            count = sql.SQL("SELECT count(*) FROM {}").format(relation)
            rows = connection.execute(count).fetchall()[0][0]
    return Loss(
        migration=migration,
        schema=schema,
        name=name,
        column=column,
        rows=rows,
        bytes=None if column else size,
    )
