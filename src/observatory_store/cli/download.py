"""Reading a file from a path or a URL, with bounds on its size and on the time that it takes."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from time import monotonic
from typing import Final
from urllib.parse import unquote, urlsplit

from observatory_store.errors import InvalidInputError, UnavailableError

TIMEOUT_SECONDS: Final = 60.0
"""Longest that a download may take, and longest without a byte."""

_PIECE: Final = 64 * 1024


def is_url(text: str) -> bool:
    """Tell whether it is a URL of the web."""
    return text.lower().startswith(("https://", "http://"))


def read_file(path: Path, most_bytes: int) -> bytes:
    """Return the bytes of a file.

    Raises:
        InvalidInputError: it cannot be read, or is larger than ``most_bytes``.

    """
    try:
        with path.open("rb") as file:
            body = file.read(most_bytes + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInputError(f"{path} cannot be read: {reason}") from None
    return _bounded(body, str(path), most_bytes)


def download(url: str, most_bytes: int, *, seconds: float = TIMEOUT_SECONDS) -> bytes:
    """Return the bytes behind a URL of http or https.

    A user and a password in it are sent as Basic authentication, to its own host only.

    Raises:
        UnavailableError: nothing answers, too slowly, or with an error.
        InvalidInputError: it is larger than ``most_bytes``, or no URL.

    """
    shown = without_secrets(url)
    deadline = monotonic() + seconds
    body = bytearray()
    try:
        with urllib.request.urlopen(_request(url), timeout=seconds) as response:  # noqa: S310 - web only
            while piece := response.read(_PIECE):
                body += piece
                if monotonic() > deadline:
                    raise UnavailableError(f"{shown} takes over {seconds:g} seconds")
                if len(body) > most_bytes:
                    break
    except urllib.error.HTTPError as error:
        error.close()
        raise UnavailableError(f"{shown} answers {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise UnavailableError(f"{shown} cannot be read: {reason}") from None
    except ValueError as error:
        raise InvalidInputError(f"{shown} is no URL: {error}") from None
    return _bounded(bytes(body), shown, most_bytes)


def without_secrets(url: str) -> str:
    """Return a URL as it may be shown and kept: without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=host, query="", fragment="").geturl()
    except ValueError:
        return "the URL"


def _request(url: str) -> urllib.request.Request:
    parts = urlsplit(url)
    secret, at, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(  # noqa: S310 - of the web, says the caller
        parts._replace(netloc=host).geturl(), headers={"User-Agent": "observatory-store"}
    )
    if at:
        token = b64encode(":".join(map(unquote, secret.split(":", 1))).encode()).decode()
        # Where it redirects to has no business with it.
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


def _bounded(body: bytes, name: str, most_bytes: int) -> bytes:
    if len(body) > most_bytes:
        raise InvalidInputError(f"{name} has over {most_bytes:,} bytes")
    return body
