"""Three hours of pretended traffic, sent in seconds."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from random import Random

import msgspec

from observatory_store.demo.gateway import Gateway
from observatory_store.demo.telemetry import NANOSECONDS, undisturbed_environment
from observatory_store.errors import ObservatoryError
from observatory_store.repositories import TimeRange

SPAN_OF_TIME = timedelta(hours=3)
REQUESTS = 400
AGENT_SHARE = 0.2
SEED = 20261120


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent."""

    requests: int
    spans: int
    logs: int


def send_traffic(endpoint: str, now: datetime, *, requests: int = REQUESTS) -> Sent:
    """Send the traffic of the three hours before ``now`` to the service at ``endpoint``.

    Raises:
        ObservatoryError: not everything was sent in time.

    """
    random = Random(SEED)  # noqa: S311 - a demonstration
    with undisturbed_environment():
        gateway = Gateway(endpoint, random)
        try:
            for at in _arrivals(now, requests, random):
                if random.random() < AGENT_SHARE:
                    gateway.serve_agent(at)
                else:
                    gateway.serve_chat(at)
            sent = [service.flush() for service in gateway.services]
            if not all(sent):
                raise ObservatoryError("the telemetry was not sent in time")
        finally:
            for service in gateway.services:
                service.shut_down()
    return Sent(
        requests=requests,
        spans=sum(service.span_count for service in gateway.services),
        logs=sum(service.log_count for service in gateway.services),
    )


def time_range(now: datetime) -> TimeRange:
    """Return the range of time that holds all the traffic."""
    # The longest of the last requests may end after now.
    return TimeRange(now - SPAN_OF_TIME, now + timedelta(minutes=10))


def _arrivals(now: datetime, requests: int, random: Random) -> list[int]:
    """Return times in nanoseconds, most of them around a peak two thirds into the time."""
    # A minute is left for the slowest request to end in the past.
    length = SPAN_OF_TIME.total_seconds() - 60
    first = (now - SPAN_OF_TIME).timestamp()
    arrivals: list[float] = []
    while len(arrivals) < requests:
        share = random.random()
        if random.random() < 0.25 + 0.75 * math.exp(-(((share - 0.66) / 0.22) ** 2)):
            arrivals.append(first + share * length)
    return [int(moment * NANOSECONDS) for moment in sorted(arrivals)]
