"""The HTTP service: OTLP in, JSON out. The one layer that knows FastAPI and HTTP status codes."""

from observatory_store.api.app import create_app

__all__ = ["create_app"]
