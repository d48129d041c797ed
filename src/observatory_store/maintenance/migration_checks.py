"""What `doctor` says of migrations: those that are pending, edited, or of another version."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from observatory_store.database import Connection
from observatory_store.maintenance.finding import Finding, ok, problem, warning
from observatory_store.sql import load

_SQL = load("records")
_OTHER_VERSION = "Run the version of observatory-store that applied them, or a newer one."


async def check_migrations(connection: Connection, known: Mapping[str, str]) -> list[Finding]:
    """Compare the migrations of this package with those that were applied, and their texts."""
    found = await _Migrations.read(connection, known)
    findings = found.drift()
    if found.pending:
        findings.append(
            problem(
                "schema",
                f"{len(found.pending)} of {len(known)} migrations are pending, from "
                f"{found.pending[0]} on.",
                "Run `observatory-store schema apply`.",
            )
        )
    if found.unknown:
        findings.append(
            problem(
                "schema",
                "This version does not know migrations that were applied: "
                f"{', '.join(found.unknown)}.",
                _OTHER_VERSION,
            )
        )
    return findings or [ok("schema", f"All {len(known)} migrations are applied.")]


async def check_pending(connection: Connection, known: Mapping[str, str]) -> list[Finding]:
    """Tell what a migration would apply, and whether it could."""
    found = await _Migrations.read(connection, known)
    if findings := found.drift():
        return findings
    if not found.unknown:
        from_ = f", from {found.pending[0]} on" if found.pending else ""
        what = f"{len(found.pending)} of {len(known)} migrations are pending{from_}."
        return [ok("schema", what)]
    what = (
        f"The database has migrations that this version does not know: {', '.join(found.unknown)}."
    )
    # An old version that starts beside new ones has nothing to apply, and may.
    return [(problem if found.pending else warning)("schema", what, _OTHER_VERSION)]


class _Migrations(msgspec.Struct, frozen=True, kw_only=True):
    """What the database and this package do not agree on."""

    pending: list[str]
    unknown: list[str]
    """Those applied that this version lacks."""
    drifted: list[str]
    """Those whose text is another one than was applied."""

    @classmethod
    async def read(cls, connection: Connection, known: Mapping[str, str]) -> _Migrations:
        applied: dict[str, str | None] = {}
        if await connection.fetchval(_SQL["is_recorded"]):
            applied = {
                row["migration_id"]: row["checksum"]
                for row in await connection.fetch(_SQL["applied_migrations"])
            }
        return cls(
            pending=[id_ for id_ in known if id_ not in applied],
            unknown=sorted(applied.keys() - known.keys()),
            drifted=[
                id_ for id_, checksum in known.items() if applied.get(id_) not in {None, checksum}
            ],
        )

    def drift(self) -> list[Finding]:
        """Tell of edited files, which keep every migration from being applied."""
        return [
            problem(
                "schema",
                f"{id_} was edited after it was applied.",
                "Restore the file, or run the edited one by "
                f"`observatory-store schema reapply {id_}`.",
            )
            for id_ in self.drifted
        ]
