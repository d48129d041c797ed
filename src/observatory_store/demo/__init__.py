"""The demonstration: a private store, and a pretend LLM gateway that sends it real telemetry."""

from observatory_store.demo.stage import Stage, open_stage

__all__ = ["Stage", "open_stage"]
