"""LiteLLM's OpenTelemetry callback, beside the names it has from OpenLLMetry and the conventions.

Its second span, ``raw_gen_ai_request`` with ``llm.<provider>.*``, is not mapped: it repeats the
first one's call.
"""

from __future__ import annotations

from observatory_store.llm import conversion, documents
from observatory_store.llm.convention import Convention, Document, Field

LITELLM_USAGE = Convention(
    name="LiteLLM's usage object",
    revision="litellm 1.72.0 and 1.106.2",
    # It goes before the deprecated names: in 1.72 their input leaves out what was written to the
    # cache (1,048 of 1,560), which only this object tells.
    entries=(Document(attribute="metadata.usage_object", read=documents.usage),),
)

LITELLM = Convention(
    name="LiteLLM",
    revision=LITELLM_USAGE.revision,
    entries=(
        Field(attribute="gen_ai.cost.total_cost", column="sent_cost_usd", convert=conversion.cost),
        Field(attribute="llm.user", column="user_id", convert=conversion.identifier),
        Field(
            attribute="metadata.user_api_key_end_user_id",
            column="user_id",
            convert=conversion.identifier,
        ),
        Field(
            attribute="metadata.user_api_key_user_id",
            column="user_id",
            convert=conversion.identifier,
        ),
    ),
)
