"""Looking at the schema of one database, and at what the verbs would do to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from observatory_store.schema import preflight, promotion
from observatory_store.schema.connection import connect
from observatory_store.schema.edition import explain_edition
from observatory_store.schema.lock import Holder, read_holders
from observatory_store.schema.losses import Loss, find_losses
from observatory_store.schema.plan import PlannedStatement, make_plan
from observatory_store.schema.promotion import Promotion
from observatory_store.schema.selection import to_apply, to_roll_back
from observatory_store.schema.source import read_migrations
from observatory_store.schema.status import SchemaStatus, read_status
from observatory_store.schema.verify import Divergence, find_divergences


class PlannedRollback(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollback would do."""

    ids: list[str]
    """Of the migrations that it would undo, the newest first."""
    losses: list[Loss]
    """Data that it would drop."""


class Inspector:
    """The schema of one database, to look at. Writes nothing.

    Args:
        database_url: a libpq URL.
        folder: where the migrations are; those of this package if it is not given.

    Every method raises UnavailableError if the database cannot be reached, and MigrationError if
    the server, or what is in the database, forbids what was asked; the message has the next step.

    """

    def __init__(self, database_url: str, *, folder: Path | None = None) -> None:
        self._url = database_url
        self._folder = folder
        self._migrations = read_migrations(folder)

    def status(self) -> SchemaStatus:
        """Return where the schema stands. Writes nothing, so a standby may be asked."""
        with connect(self._url, "status", reads_only=True) as connection:
            return read_status(connection, self._migrations)

    def explain_edition(self) -> str:
        """Return the edition that the database was just built for, with the reason."""
        with connect(self._url, "status", reads_only=True) as connection:
            return explain_edition(connection)

    def plan(self) -> list[PlannedStatement]:
        """Return what ``apply`` would run, whom it would keep waiting and why. Writes nothing.

        Raises:
            InvalidInputError: the extra ``plan`` is not installed.
            MigrationError: ``apply`` would refuse to begin.

        """
        with connect(self._url, "plan", reads_only=True) as connection:
            return make_plan(connection, to_apply(connection, self._migrations, self._migrations))

    def verify(self) -> list[Divergence]:
        """Compare the database with what this package makes of one; nothing if they agree.

        Raises:
            MigrationError: the database is at another version, so there is nothing to compare.

        """
        with connect(self._url, "verify", reads_only=True) as connection:
            return find_divergences(connection, self._migrations)

    def plan_rollback(
        self,
        *,
        steps: int | None = None,
        to: str | None = None,
        ids: Sequence[str] | None = None,
    ) -> PlannedRollback:
        """Return what such a rollback would undo and drop. Writes nothing, and raises as it."""
        with connect(self._url, "rollback", reads_only=True) as connection:
            wanted = to_roll_back(connection, self._migrations, steps=steps, to=to, ids=ids)
            return PlannedRollback(
                ids=[one.id for one in wanted], losses=find_losses(connection, wanted)
            )

    def plan_promotion(self) -> Promotion:
        """Return what ``promote`` would do, and how large that is. Writes nothing.

        Raises:
            MigrationError: there is nothing to promote to, something is in the way, or migrations
                are pending.

        """
        with connect(self._url, "promote") as connection:
            preflight.check_rights(connection)
            status = read_status(connection, self._migrations)
            return promotion.plan(connection, self._migrations, status)

    def holders(self) -> list[Holder]:
        """Return who migrates this database now, or left yoyo's lock behind."""
        with connect(self._url, "unlock", reads_only=True) as connection:
            return read_holders(connection)
