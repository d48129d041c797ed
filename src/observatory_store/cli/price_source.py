"""Where prices and the catalogue of models are synced from, as verbs name it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from observatory_store.cli.download import download, is_url, read_file, without_secrets
from observatory_store.errors import InvalidInputError
from observatory_store.pricing import genai, litellm
from observatory_store.pricing.json_file import MOST_BYTES
from observatory_store.pricing.listing import Source

STATEMENT_TIMEOUT_SECONDS: Final = 300.0
"""A sync waits for another one to end."""

SyncFrom: TypeAlias = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="SOURCE",
        help="genai-prices, or path or URL of LiteLLM's model_prices_and_context_window.json.",
    ),
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change; change nothing.")
]


def read_source(origin: str) -> tuple[Source, str]:
    """Return what a source says, and its name for the audit, without the secrets of a URL.

    Raises:
        InvalidInputError: it cannot be had, or is no file of the kind.

    """
    if origin == genai.NAME:
        return genai.read(), origin
    if is_url(origin):
        body, shown = download(origin, MOST_BYTES), without_secrets(origin)
    else:
        path = Path(origin)
        body, shown = read_file(path, MOST_BYTES), str(path.absolute())
    try:
        return litellm.read(body), shown
    except ValueError as error:
        raise InvalidInputError(f"{shown}: {error}") from None
