"""``prices`` brings prices in, lists, sets and explains them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from observatory_store import LLMCall, Store
from observatory_store.cli import price_source
from observatory_store.cli.download import download
from observatory_store.errors import InvalidInputError

from .conftest import Command

pytestmark = pytest.mark.editions("postgres")

ROW = {"litellm_provider": "openai", "input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of three models, the one in the middle wrong."""
    path = tmp_path / "prices.json"
    wrong = {**ROW, "input_cost_per_token": -1}
    path.write_text(json.dumps({"a": ROW, "wrong": wrong, "b": ROW}))
    return path


def test_a_file_is_synced(on_database: Command, file: Path) -> None:
    """What a person sees: what it brought, what it refused and why; again: nothing to do."""
    tried = on_database("prices", "sync", "--from", str(file), "--dry-run")
    assert (tried.code, "would bring in" in tried.out) == (0, True)
    assert on_database("prices", "list", "--json").json == []
    done = on_database("prices", "sync", "--from", str(file))
    assert done.code == 0
    assert "2 models added" in done.out
    assert "refused  wrong: input is negative" in done.out
    again = on_database("prices", "sync", "--from", str(file), "--json").json
    assert (again["added"], again["unchanged"], len(again["refused"])) == ([], 2, 1)
    rows = on_database("prices", "list", "--json").json
    assert [(row["model"], row["tariff"]["input"]) for row in rows] == [
        ("a", "0.000002"),
        ("b", "0.000002"),
    ]


def test_genai_prices_is_the_default(on_database: Command) -> None:
    """`prices sync` alone needs no network, and knows the usual models."""
    assert on_database("prices", "sync").code == 0
    shown = on_database("prices", "list", "--provider", "openai", "--model", "gpt-4o")
    assert "genai-prices" in shown.out
    assert "2.5" in shown.out


def test_a_price_of_ones_own(on_database: Command) -> None:
    """It goes before all others, from the time that is given; and can be shown for good."""
    on_database("prices", "sync")
    done = on_database(
        *("prices", "set", "openai", "gpt-4o", "input=1", "output=2", "batch.input=0.5"),
        *("--from", "2026-01-01T00:00:00Z", "--json"),
    )
    assert done.code == 0
    reference = f"price:{done.json['price_id']}"
    explain = ("prices", "explain", "openai", "gpt-4o", "--json")
    found = on_database(*explain, "--input-tokens", "1000", "--output-tokens", "10").json
    assert (Decimal(found["cost_usd"]), found["price_ref"]) == (Decimal("0.00102"), reference)
    batch = on_database(*explain, "--service-tier", "batch").json
    assert Decimal(batch["cost_usd"]) == Decimal("0.5")
    before = on_database(*explain, "--at", "2025-12-31T23:59:59Z").json
    assert before["price_ref"] != reference
    shown = on_database("prices", "show", reference, "--json").json
    assert shown["source_row"]["model"] == "gpt-4o"
    assert "gpt-4o" in on_database("prices", "show", reference).out
    assert on_database("prices", "set", "*", "acme-9", "input=3").code == 0
    anybody = on_database("prices", "explain", "*", "acme-9", "--json").json
    assert Decimal(anybody["cost_usd"]) == 3
    unknown = on_database("prices", "explain", "acme", "acme-1")
    assert (unknown.code, "No price" in unknown.out) == (1, True)


def test_models_without_a_price(on_database: Command, database_url: str) -> None:
    """Whom to ask for a price, by how much is called; with a price set, later calls have costs."""

    async def record() -> None:
        async with Store.open(database_url) as store:
            for tokens in (7, 8):
                await store.record(
                    LLMCall(provider="acme", model="acme-1", input_tokens=tokens, output_tokens=1)
                )

    asyncio.run(record())
    (row,) = on_database("prices", "unpriced", "--json").json
    assert (row["provider"], row["model"], row["requests"]) == ("acme", "acme-1", 2)
    assert (row["input_tokens"], row["output_tokens"]) == (15, 2)
    assert "acme-1" in on_database("prices", "unpriced").out
    assert "acme/acme-1" in on_database("doctor").out
    assert on_database("prices", "set", "acme", "acme-*", "input=1", "output=1").code == 0
    asyncio.run(record())
    (row,) = on_database("prices", "unpriced", "--json").json
    assert row["requests"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sync", "--from", "/nowhere/prices.json"), "cannot be read"),
        (("sync", "--from", "/"), "cannot be read"),
        (("sync", "--from", "http://127.0.0.1:1/prices.json"), "cannot be read"),
        (("sync", "--from", "http://[/prices.json"), "no URL"),
        (("set", "openai", "gpt-4o", "input=cheap"), "no number"),
        (("set", "openai", "gpt-4o", "2.50"), "is no rate"),
        (("set", "openai", "*", "input=1"), "a model is a name"),
        (("show", "x"), "no id of a price"),
        (("show", "7"), "there is no price 7"),
        (("list", "--at", "yesterday"), "is no time"),
    ],
)
def test_what_cannot_be(on_database: Command, arguments: tuple[str, ...], message: str) -> None:
    """One line on standard error, exit code 2, and nothing is changed."""
    done = on_database("prices", *arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert on_database("prices", "list", "--history", "--json").json == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>", "is not JSON"),
        (b"{}", "no price that can be used"),
        (b'{"m": 7}', "the first: not an object"),
    ],
)
def test_files_of_no_use(
    on_database: Command, tmp_path: Path, content: bytes, message: str
) -> None:
    """A file that has nothing is an error, so that a timer's mail tells of it."""
    path = tmp_path / "file"
    path.write_bytes(content)
    done = on_database("prices", "sync", "--from", str(path))
    assert done.code == 2
    assert message in done.err


def test_a_file_that_is_too_large(
    on_database: Command, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong path must not fill the memory."""
    monkeypatch.setattr(price_source, "MOST_BYTES", 10)
    done = on_database("prices", "sync", "--from", str(file))
    assert done.code == 2
    assert "over 10 bytes" in done.err


@contextmanager
def served(status: int, body: bytes, headers: dict[str, Any] | None = None) -> Iterator[str]:
    """Serve one answer on loopback; give its URL, with a secret in it.

    What ``headers`` has is sent; after a request it also has its Authorization.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if headers is not None:
                headers["Authorization"] = self.headers["Authorization"]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/prices.json?token=secret"
        finally:
            server.shutdown()


def test_the_user_and_password_of_a_url() -> None:
    """They are sent to that host, never to where it redirects to, and are no part of its name."""
    there: dict[str, Any] = {}
    with served(200, b"there", there) as target:
        here = {"Location": target}
        with served(302, b"", here) as url:
            assert download(url.replace("://", "://u%40x:p:w@"), 10) == b"there"
    assert here["Authorization"] == "Basic dUB4OnA6dw=="
    assert there["Authorization"] is None


def test_a_url_is_synced(on_database: Command, file: Path) -> None:
    """The audit says where from, and no secret of the URL."""
    with served(200, file.read_bytes()) as url:
        report = on_database("prices", "sync", "--from", url, "--json").json
    assert report["added"] == ["openai/a", "openai/b"]
    assert report["origin"] == url.partition("?")[0]


def test_a_url_that_fails(on_database: Command) -> None:
    """Which URL, and what it answered."""
    with served(404, b"nothing here") as url:
        done = on_database("prices", "sync", "--from", url)
    assert done.code == 2
    assert "/prices.json answers 404" in done.err
    assert "secret" not in done.err


def test_bounds_of_a_download() -> None:
    """A server that sends for ever is given up."""
    with (
        served(200, b"x" * 100_000) as url,
        pytest.raises(InvalidInputError, match="over 1,000 bytes"),
    ):
        download(url, 1000)
