"""What the routes of one process share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from observatory_store.api.authentication import Authenticator
from observatory_store.api.measurements import Measurements
from observatory_store.database import Pool
from observatory_store.ingest import Admission, Receiver
from observatory_store.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Made when the process starts, closed when it stops."""

    settings: Settings
    reads: Pool
    """For queries."""
    ingest: Pool
    """For all else: what is sent, keys, the service's own work. No query keeps that waiting."""
    admission: Admission
    receiver: Receiver
    authenticator: Authenticator
    measurements: Measurements


async def _services(request: Request) -> Services:
    return cast("Services", request.app.state.services)


TheServices = Annotated[Services, Depends(_services)]
