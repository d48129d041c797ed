"""The two encodings of OTLP/HTTP."""

from __future__ import annotations

from enum import StrEnum

from observatory_store.errors import UnsupportedMediaTypeError


class MediaType(StrEnum):
    """A content type that OTLP/HTTP defines (OTLP specification, "OTLP/HTTP Request")."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"

    @classmethod
    def parse(cls, header: str | None) -> MediaType:
        """Return what a Content-Type header names, whatever its case and its parameters.

        Raises ``UnsupportedMediaTypeError`` for every other header, and for none.
        """
        try:
            return cls((header or "").partition(";")[0].strip().lower())
        except ValueError:
            raise UnsupportedMediaTypeError(
                f"the content type is {header!r}; use {cls.PROTOBUF} or {cls.JSON}"
            ) from None
