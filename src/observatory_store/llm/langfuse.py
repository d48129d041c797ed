"""Langfuse's SDK, whose objects are JSON texts."""

from __future__ import annotations

from observatory_store.llm import conversion, documents
from observatory_store.llm.convention import FIRST_TOKEN_TIME, Convention, Document, Field, has

_OPERATIONS = {
    "agent": "invoke_agent",
    "embedding": "embeddings",
    "generation": "chat",
    "retriever": "retrieval",
    "tool": "execute_tool",
}

LANGFUSE = Convention(
    name="Langfuse",
    revision="langfuse 3.15.0 and 5.0.4",
    entries=(
        Field(
            attribute="langfuse.observation.type",
            column="operation",
            convert=conversion.one_of(_OPERATIONS),
        ),
        # The model that was asked for, until the answer names its own.
        Field(
            attribute="langfuse.observation.model.name",
            column="response_model",
            convert=conversion.text,
            where=has("langfuse.observation.usage_details"),
        ),
        Field(
            attribute="langfuse.observation.model.name",
            column="request_model",
            convert=conversion.text,
        ),
        Document(
            attribute="langfuse.observation.model.parameters",
            read=documents.parameters_with_tier,
        ),
        Document(attribute="langfuse.observation.usage_details", read=documents.usage),
        Document(attribute="langfuse.observation.cost_details", read=documents.cost_details),
        Field(
            attribute="langfuse.observation.completion_start_time",
            column=FIRST_TOKEN_TIME,
            convert=conversion.time,
        ),
        Field(
            attribute="langfuse.observation.completion_start_time",
            column="streaming",
            convert=conversion.always(True),  # noqa: FBT003 - a column's value
        ),
        Field(
            attribute="langfuse.observation.metadata.finish_reason",
            column="finish_reasons",
            convert=lambda value: conversion.texts(conversion.json_text(value)),
        ),
        Field(attribute="langfuse.user.id", column="user_id", convert=conversion.identifier),
        Field(attribute="langfuse.session.id", column="session_id", convert=conversion.identifier),
        Field(attribute="langfuse.trace.tags", column="tags", convert=conversion.labels),
    ),
)
