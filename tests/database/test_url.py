"""One libpq URL for every driver."""

from __future__ import annotations

import pytest

from observatory_store.database import for_asyncpg, for_yoyo, redacted
from observatory_store.errors import InvalidInputError


def test_parameters_that_asyncpg_lacks_are_left_out() -> None:
    """asyncpg would send them to the server as settings, and every connection would fail."""
    arguments = for_asyncpg(
        "postgresql://me:p%40ss@db:5433/x?sslmode=require&connect_timeout=7&keepalives_idle=5"
        "&channel_binding=prefer&application_name=a%20b&target_session_attrs=read-write"
    )
    assert arguments == {
        "dsn": "postgresql://me:p%40ss@db:5433/x?sslmode=require&application_name=a%20b"
        "&target_session_attrs=read-write",
        "timeout": 7.0,
    }


def test_a_socket_folder_survives() -> None:
    """The host of a URL may be a parameter, for a Unix socket."""
    url = "postgresql:///x?host=/run/postgresql"
    assert for_asyncpg(url)["dsn"] == "postgresql:///x?host=%2Frun%2Fpostgresql"
    assert for_yoyo(url) == "postgresql+psycopg:///x?host=/run/postgresql"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_yoyo_gets_psycopg_3(scheme: str) -> None:
    """The plain scheme would make yoyo look for psycopg2."""
    assert for_yoyo(f"{scheme}://u:p@h:1/d?sslmode=disable") == (
        "postgresql+psycopg://u:p@h:1/d?sslmode=disable"
    )


def test_a_message_shows_no_password() -> None:
    """Errors are logged; neither the password nor a parameter may be in them."""
    assert redacted("postgresql://u:secret@h:1/d?password=secret") == "postgresql://u@h:1/d"


@pytest.mark.parametrize("url", ["mysql://x/y", "localhost/x", "", "http://x"])
def test_another_scheme_is_refused(url: str) -> None:
    """The message names what the URL must begin with."""
    with pytest.raises(InvalidInputError, match="postgresql://"):
        for_asyncpg(url)


def test_a_timeout_that_is_no_number_is_refused() -> None:
    """Instead of the driver's traceback."""
    with pytest.raises(InvalidInputError, match="connect_timeout"):
        for_asyncpg("postgresql://h/d?connect_timeout=soon")
