"""What the pretended calls say, as attributes of the GenAI conventions."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.trace import Span

from observatory_store.demo.models import Answer, Model

QUESTIONS = (
    ("Why is my invoice higher than last month?", "Two seats were added on the 3rd of the month."),
    ("How do I rotate an API key?", "Create the new key, deploy it, then revoke the old one."),
    (
        "Summarise this incident in three lines.",
        "A replica lagged; reads were stale; it was rebuilt.",
    ),
    ("Which plan includes single sign-on?", "Every plan but the free one."),
    ("Translate the release notes to French.", "Voici les notes de version."),
)
INSTRUCTIONS = json.dumps([{"type": "text", "content": "Answer briefly, from the documents only."}])


def call_attributes(model: Model, operation: str) -> dict[str, Any]:
    """Return the attributes that a call has from its beginning, and its metrics too."""
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": model.provider,
        "gen_ai.request.model": model.name,
    }


def describe_answer(span: Span, model: Model, used: Answer, question: tuple[str, str]) -> None:
    """Put on the span what is known once the answer has come."""
    asked, answered = question
    span.set_attributes(
        {
            "gen_ai.response.model": model.name,
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.response.time_to_first_chunk": round(used.first_token_seconds, 3),
            "gen_ai.usage.input_tokens": used.input_tokens,
            "gen_ai.usage.output_tokens": used.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": used.cache_read_tokens,
            "gen_ai.usage.cache_write.input_tokens": used.cache_write_tokens,
            "gen_ai.usage.reasoning.output_tokens": used.reasoning_tokens,
            "gen_ai.system_instructions": INSTRUCTIONS,
            "gen_ai.input.messages": _message("user", asked),
            "gen_ai.output.messages": _message("assistant", answered),
        }
    )


def _message(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])
