"""Which spans are one call of a model, so that their tokens and cost count."""

from __future__ import annotations

from observatory_store.llm import conversion
from observatory_store.rows import AttributeValue

INFERENCE_OPERATIONS = frozenset({"chat", "embeddings", "generate_content", "text_completion"})
"""The well-known values of ``gen_ai.operation.name`` that are one call of a model."""

OTHER_OPERATIONS = frozenset(
    {
        "create_agent",
        "create_memory",
        "create_memory_store",
        "delete_memory",
        "delete_memory_store",
        "execute_tool",
        "invoke_agent",
        "invoke_workflow",
        "plan",
        "retrieval",
        "search_memory",
        "update_memory",
        "upsert_memory",
    }
)
"""The well-known values that are not. What such a span says of tokens is a sum over its children,
which report the same tokens themselves."""

_ALIASES = {
    "completion": "chat",
    "embedding": "embeddings",
    "responses": "chat",
}
"""What LiteLLM calls them: its interface is called completion, and has only chats."""


def operation(value: AttributeValue) -> str | None:
    """Accept what :func:`conversion.text` accepts, and return the well-known name for it."""
    found = conversion.text(value)
    return None if found is None else _ALIASES.get(found, found)


def is_inference(operation: str | None, model: str | None, tokens: int | None) -> bool:
    """Tell whether a span is one call of a model.

    A custom operation is one if it names a model; without any operation, a model and a number of
    tokens make it one.
    """
    if operation is None:
        return model is not None and tokens is not None
    if operation in INFERENCE_OPERATIONS:
        return True
    return model is not None and operation not in OTHER_OPERATIONS
