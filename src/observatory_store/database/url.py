"""One libpq URL, as each driver wants it."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit

from observatory_store.errors import InvalidInputError

_SCHEMES = frozenset({"postgresql", "postgres", "postgresql+psycopg"})

# libpq parameters that asyncpg does not know. It would pass them on to the server as settings, and
# the server would refuse the connection.
_UNKNOWN_TO_ASYNCPG = frozenset(
    {
        "channel_binding",
        "client_encoding",
        "connect_timeout",
        "fallback_application_name",
        "gssencmode",
        "hostaddr",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "load_balance_hosts",
        "max_protocol_version",
        "min_protocol_version",
        "require_auth",
        "requirepeer",
        "sslcertmode",
        "sslcompression",
        "sslcrldir",
        "sslsni",
        "tcp_user_timeout",
    }
)


def for_asyncpg(url: str) -> dict[str, Any]:
    """Return the keyword arguments of ``asyncpg.connect`` for a libpq URL.

    ``connect_timeout`` becomes ``timeout``; parameters that only libpq has are left out.

    Raises:
        InvalidInputError: the URL's scheme is not that of PostgreSQL, or a number is not one.

    """
    parts = _split(url)
    parameters = _parameters(parts.query)
    known = {key: value for key, value in parameters.items() if key not in _UNKNOWN_TO_ASYNCPG}
    if "hostaddr" in parameters:
        known.setdefault("host", parameters["hostaddr"])
    arguments: dict[str, Any] = {
        "dsn": _join("postgresql", parts, urlencode(known, quote_via=quote))
    }
    if "connect_timeout" in parameters:
        try:
            arguments["timeout"] = float(parameters["connect_timeout"])
        except ValueError as error:
            raise InvalidInputError("connect_timeout of the database URL is no number") from error
    return arguments


def for_yoyo(url: str) -> str:
    """Return the URL with the scheme that makes yoyo use psycopg 3."""
    parts = _split(url)
    return _join("postgresql+psycopg", parts, parts.query)


def for_psycopg(url: str) -> str:
    """Return the URL with the scheme that libpq knows."""
    parts = _split(url)
    return _join("postgresql", parts, parts.query)


def with_database(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    parts = _split(url)
    kept = [pair for pair in parts.query.split("&") if not pair.startswith("dbname=")]
    return _join(parts.scheme, parts._replace(path=f"/{quote(name)}"), "&".join(kept))


def redacted(url: str) -> str:
    """Return the URL without its password and parameters, for messages."""
    parts = _split(url)
    user = f"{parts.username}@" if parts.username else ""
    host = parts.netloc.rpartition("@")[2]
    return f"postgresql://{user}{host}{parts.path}"


def _parameters(query: str) -> dict[str, str]:
    # Not parse_qsl: in a libpq URL a plus sign is one.
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return {unquote(key): unquote(value) for key, _, value in pairs}


def _join(scheme: str, parts: SplitResult, query: str) -> str:
    # urlunsplit would leave out the two slashes of a URL without a host.
    return f"{scheme}://{parts.netloc}{parts.path}" + (f"?{query}" if query else "")


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise InvalidInputError(
            "the database URL must begin with postgresql://, "
            f"not with {parts.scheme + '://' if parts.scheme else repr(url[:12])}"
        )
    return parts
