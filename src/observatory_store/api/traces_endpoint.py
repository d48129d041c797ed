"""Where the service's own traces go: to what is not the service itself."""

from __future__ import annotations

import socket
from importlib.util import find_spec
from ipaddress import ip_address

from pydantic import HttpUrl

from observatory_store.errors import InvalidInputError
from observatory_store.settings import Settings

VARIABLE = "OBSERVATORY_TRACES_ENDPOINT"

_PATH = "/v1/traces"


def check_traces_endpoint(settings: Settings, host: str, port: int) -> None:
    """Check that the service, listening there, can send its traces and will not get them.

    Raises:
        InvalidInputError: the extra is missing, or the endpoint is the service.

    """
    if settings.traces_endpoint is None:
        return
    require_sdk()
    if settings.traces_endpoint.port == port and _meets(settings.traces_endpoint, host):
        raise InvalidInputError(
            f"{VARIABLE}: {settings.traces_endpoint} is this service itself; name a Collector, or "
            "another store"
        )


def require_sdk() -> None:
    """Check that the extra is installed.

    Raises:
        InvalidInputError: it is not.

    """
    try:
        found = find_spec("opentelemetry.exporter.otlp.proto.http")
        found = found and find_spec("opentelemetry.sdk.trace")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise InvalidInputError(
            f"{VARIABLE} needs the OpenTelemetry SDK: pip install 'observatory-store[tracing]'"
        )


def traces_url(endpoint: HttpUrl) -> str:
    """Return the URL that spans are sent to: the endpoint, with OTLP's own path if it has none."""
    url = str(endpoint)
    bare = endpoint.path in {None, "/"} and not endpoint.query
    return url.removesuffix("/") + _PATH if bare else url


def _meets(endpoint: HttpUrl, host: str) -> bool:
    listening = _addresses(host)
    return any(
        _is_of_this_machine(address)
        and any(
            own == address
            or ip_address(own).is_unspecified
            or (ip_address(own).is_loopback and _is_loopback(address))
            for own in listening
        )
        for address in _addresses((endpoint.host or "").strip("[]"))
    )


def _is_loopback(address: str) -> bool:
    # To connect to 0.0.0.0 or :: is to connect to this machine.
    return ip_address(address).is_loopback or ip_address(address).is_unspecified


def _addresses(host: str) -> set[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        # A name that nobody knows yet is not ours.
        return set()
    return {str(address[0]).partition("%")[0] for *_, address in found}


def _is_of_this_machine(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
