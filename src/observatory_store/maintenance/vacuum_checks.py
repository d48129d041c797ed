"""What `doctor` asks of vacuum: dead rows, and tables that it does not reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from observatory_store.database import Connection
from observatory_store.maintenance.finding import Finding, ok, warning
from observatory_store.sql import load

_SQL = load("doctor")
_CHECK: Final = "bloat"

_MANY_ROWS = 10_000
_LARGE_PART = 0.2
"""What autovacuum waits for, by its defaults."""
_BIG_ROWS = 1_000_000
_MOST_TABLES = 5


class DeadRows(msgspec.Struct, frozen=True, kw_only=True):
    """What the server counts of one table or chunk since its statistics were last reset."""

    name: str
    """As it stands in a statement."""
    live: int
    dead: int
    was_vacuumed: bool
    is_fresh: bool
    """Whether it was vacuumed within the last hour."""
    is_left_out: bool
    """Whether autovacuum is off for it."""

    @property
    def is_bloated(self) -> bool:
        """Whether it has many dead rows, and not only since autovacuum was last there."""
        many = self.dead > _MANY_ROWS and self.dead > _LARGE_PART * (self.live + self.dead)
        return many and (not self.is_fresh or self.dead > self.live)

    @property
    def is_unvacuumed(self) -> bool:
        """Whether it is big and was never vacuumed."""
        return not self.was_vacuumed and self.live > _BIG_ROWS


async def check_bloat(connection: Connection) -> list[Finding]:
    """Tell which tables and chunks vacuum does not keep up with."""
    return judge_bloat([DeadRows(**row) for row in await connection.fetch(_SQL["dead_rows"])])


def judge_bloat(tables: Sequence[DeadRows]) -> list[Finding]:
    """Tell which tables to vacuum, those with most dead rows first, and why it was not done."""
    left_out = [table for table in tables if table.is_left_out]
    bloated = [table for table in tables if table.is_bloated]
    unvacuumed = [table for table in tables if table.is_unvacuumed and not table.is_bloated]
    findings = []
    if left_out:
        findings.append(
            warning(
                _CHECK,
                f"autovacuum is switched off for {_names(left_out)}: dead rows stay.",
                f"Run {_statements('ALTER TABLE {} RESET (autovacuum_enabled)', left_out)}.",
            )
        )
    if bloated:
        parts = [f"{table.name} ({_percent(table)} %)" for table in bloated[:_MOST_TABLES]]
        findings.append(
            warning(
                _CHECK,
                f"Many rows are dead, and slow down every query of {_list(parts, len(bloated))}.",
                f"Run VACUUM (ANALYZE) {', '.join(_first(bloated))}; what it leaves, a transaction "
                "or a replication slot holds.",
            )
        )
    if unvacuumed:
        findings.append(
            warning(
                _CHECK,
                f"Big and never vacuumed, as far as the server remembers: {_names(unvacuumed)}.",
                f"Run VACUUM (ANALYZE) {', '.join(_first(unvacuumed))}, and give autovacuum more "
                "workers if that is needed again.",
            )
        )
    dead = sum(table.dead for table in tables)
    return findings or [ok(_CHECK, f"Vacuum keeps up: {dead:,} rows are dead.")]


def _percent(table: DeadRows) -> int:
    return round(100 * table.dead / (table.live + table.dead))


def _first(tables: Sequence[DeadRows]) -> list[str]:
    return [table.name for table in tables[:_MOST_TABLES]]


def _names(tables: Sequence[DeadRows]) -> str:
    return _list(_first(tables), len(tables))


def _list(shown: Sequence[str], count: int) -> str:
    more = f" and {count - _MOST_TABLES} more" if count > _MOST_TABLES else ""
    return ", ".join(shown) + more


def _statements(statement: str, tables: Sequence[DeadRows]) -> str:
    return "; ".join(statement.format(name) for name in _first(tables))
