"""The rows of an answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import msgspec

from observatory_store.repositories.analytics.columnar import to_arrow
from observatory_store.repositories.page import TimeRange

Row = TypeVar("Row", bound=msgspec.Struct)


class Rows(list[Row], Generic[Row]):
    """A list of rows, with the range that they answer for."""

    def __init__(self, rows: Iterable[Row], covered: TimeRange, kind: type[Row]) -> None:
        super().__init__(rows)
        self.covered = covered
        """What was asked for; or more, where only whole buckets are left of what was there."""
        self._kind = kind

    def to_arrow(self) -> Any:  # noqa: ANN401 - pyarrow has no types
        """Return a ``pyarrow.Table`` with a column for each field, typed also if it is empty.

        Raises:
            InvalidInputError: the extra ``analytics`` is not installed.

        """
        return to_arrow(self, self._kind)

    def to_polars(self) -> Any:  # noqa: ANN401
        """Return a ``polars.DataFrame``. Raises as :meth:`to_arrow`."""
        table = self.to_arrow()
        import polars as pl  # noqa: PLC0415 - an extra

        return pl.from_arrow(table)

    def to_pandas(self) -> Any:  # noqa: ANN401
        """Return a ``pandas.DataFrame``. Raises as :meth:`to_arrow`."""
        return self.to_arrow().to_pandas()
