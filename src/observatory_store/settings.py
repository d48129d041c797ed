"""Settings of the service and the command line, read from ``OBSERVATORY_*`` variables."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PAYLOAD_CHARACTERS = 1000

DEFAULT_DATABASE_URL = "postgresql://localhost/observatory"

MEBIBYTE = 1024 * 1024

_SIGNALS = 3
"""Spans, metric points and log records."""
_OTHER_CONNECTIONS = 3
"""For looking up keys, the refresh of the rollups, and the checks of readiness."""


class AuthMode(StrEnum):
    """Whether a request must carry an API key."""

    REQUIRED = "required"
    OFF = "off"


class CostSource(StrEnum):
    """Which cost of a call is stored as its cost."""

    COMPUTED = "computed"
    """What its price makes."""
    COMPUTED_FIRST = "computed_first"
    """The computed cost, or else the sent one."""
    SENT_FIRST = "sent_first"
    """The sent cost, or else the computed one."""
    SENT = "sent"
    """What the sender says."""


class PayloadPolicy(StrEnum):
    """How much of what was said to models, and by them, is stored."""

    KEEP = "keep"
    TRUNCATE = "truncate"
    DROP = "drop"


class Redaction(StrEnum):
    """What is replaced before anything is stored."""

    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    KEY = "key"


def redactions(text: str) -> tuple[Redaction, ...]:
    """Return the kinds that a list with commas names; none if it is empty.

    Raises ``ValueError`` if one is unknown.
    """
    names = [name.strip() for name in text.split(",")]
    return tuple(Redaction(name) for name in names if name)


def _listed(value: object) -> object:
    return redactions(value) if isinstance(value, str) else value


class PrivacySettings(BaseSettings):
    """What may be stored of texts; a program's store reads it from its environment too."""

    model_config = SettingsConfigDict(env_prefix="OBSERVATORY_", extra="ignore", frozen=True)

    payloads: PayloadPolicy = PayloadPolicy.KEEP
    """How much is stored of prompts, completions, tool calls, where a project has no setting of
    its own."""

    payload_characters: Annotated[int, Field(ge=1)] = PAYLOAD_CHARACTERS
    """How much `truncate` leaves of each text."""

    redact: Annotated[tuple[Redaction, ...], NoDecode, BeforeValidator(_listed)] = ()
    """What is replaced in texts before they are stored: `email`, `phone`, `card`, `key`, with
    commas."""


class Settings(PrivacySettings):
    """Everything that the service reads from its environment.

    Each field is the variable ``OBSERVATORY_`` + its name in capitals.
    """

    database_url: SecretStr = SecretStr(DEFAULT_DATABASE_URL)
    """A libpq URL; any libpq parameter is allowed."""

    auth: AuthMode = AuthMode.REQUIRED
    """`required`: every route but health needs a key. `off`: all is the default project's."""

    host: str = "127.0.0.1"
    """Address the service listens on."""

    port: Annotated[int, Field(ge=0, le=65535)] = 4318
    """Port the service listens on; 4318 is OTLP/HTTP's own. 0 picks a free one."""

    max_body_bytes: Annotated[int, Field(ge=1024)] = 64 * MEBIBYTE
    """Largest request body, counted after decompression."""

    queue_bytes: Annotated[int, Field(ge=1024)] = 64 * MEBIBYTE
    """Most that the requests of one process may hold together, bodies and rows; beyond it they are
    told at once to come back later. One alone may hold more, up to what its body may have."""

    pool_size: Annotated[int, Field(ge=1, le=200)] = 8
    """Most connections to the database that the queries of one process take."""

    writers: Annotated[int, Field(ge=1, le=50)] = 2
    """Most transactions in which one process stores a signal at once. Their connections are no
    query's, so that slow queries do not keep senders waiting."""

    query_timeout_seconds: Annotated[float, Field(gt=0)] = 10.0
    """Longest a statement of the service's queries may run before the server cancels it."""

    statement_timeout_seconds: Annotated[float, Field(gt=0)] = 30.0
    """Longest any other statement may run before the server cancels it."""

    lock_timeout_seconds: Annotated[float, Field(gt=0)] = 5.0
    """Longest a statement may wait for a lock."""

    cost: CostSource = CostSource.COMPUTED
    """Which cost of a call is its `cost_usd`: `computed` from prices, `computed_first` or else what
    the sender says, `sent_first` or else the computed one, `sent`."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Threshold of the service's own log."""

    traces_endpoint: Annotated[HttpUrl | None, BeforeValidator(lambda value: value or None)] = None
    """Where the service sends traces of its own work, by OTLP over HTTP. None sends none, whatever
    OpenTelemetry's own variables say."""

    @property
    def storing_connections(self) -> int:
        """Most connections that are no query's in one process."""
        return _SIGNALS * self.writers + _OTHER_CONNECTIONS

    @property
    def connections(self) -> int:
        """Most connections to the database that one process takes."""
        return self.storing_connections + self.pool_size
