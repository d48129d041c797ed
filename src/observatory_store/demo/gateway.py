"""The pretend gateway and its neighbours, and the requests that they serve."""

from __future__ import annotations

import json
from random import Random

from opentelemetry.context import Context
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import SpanKind

from observatory_store.demo.conversation import QUESTIONS, call_attributes, describe_answer
from observatory_store.demo.models import EMBEDDING, Model, answer, pick
from observatory_store.demo.telemetry import Clock, PretendService, SeededIds

RETRIEVAL_SHARE, TOOL_TIMEOUT_RATE = 0.7, 0.06
TOOLS = ("search_tickets", "run_sql", "get_weather")


class RateLimitError(Exception):
    """The provider answered 429."""


class ToolTimeoutError(Exception):
    """A tool did not answer in time."""


class Gateway:
    """Three services of one product: the gateway, the retrieval, and a worker for agents."""

    def __init__(self, endpoint: str, random: Random) -> None:
        ids = SeededIds(random)
        self._random = random
        self._gateway = PretendService("llm-gateway", endpoint, ids)
        self._retrieval = PretendService("retrieval", endpoint, ids)
        self._agent = PretendService("agent-worker", endpoint, ids)
        self.services = (self._gateway, self._retrieval, self._agent)

    def serve_chat(self, at: int) -> None:
        """Pretend a user's question: retrieval, then a call of a model, with a fallback on 429."""
        clock = Clock(at)
        question = self._random.choice(QUESTIONS)
        who = self._who()
        self._completion(
            clock, None, question, who, retrieve=self._random.random() < RETRIEVAL_SHARE
        )

    def serve_agent(self, at: int) -> None:
        """Pretend an agent's run: it asks the gateway, calls a tool, and asks again."""
        clock = Clock(at)
        question = self._random.choice(QUESTIONS)
        who = self._who()
        attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "researcher",
            **who,
        }
        try:
            with self._agent.span(clock, "invoke_agent researcher", attributes=attributes) as (
                _,
                run,
            ):
                self._agent.log(clock, "INFO", "run started", run, agent="researcher")
                for _ in range(self._random.randint(1, 3)):
                    self._completion(clock, run, question, who, retrieve=False, caller=self._agent)
                    self._tool(clock, run, who)
                self._completion(clock, run, question, who, retrieve=False, caller=self._agent)
        except ToolTimeoutError:
            return

    def _who(self) -> dict[str, str]:
        user = self._random.randint(1, 25)
        return {
            "user.id": f"user-{user:02}",
            "gen_ai.conversation.id": f"session-{user:02}-{self._random.randint(1, 4)}",
        }

    def _completion(
        self,
        clock: Clock,
        within: Context | None,
        question: tuple[str, str],
        who: dict[str, str],
        *,
        retrieve: bool,
        caller: PretendService | None = None,
    ) -> None:
        if caller is not None:
            with caller.span(clock, "POST", SpanKind.CLIENT, within=within) as (_, call):
                clock.advance(0.001)
                self._completion(clock, _over_the_wire(call), question, who, retrieve=retrieve)
            return
        attributes = {"http.request.method": "POST", "http.route": "/v1/chat/completions"}
        with self._gateway.span(
            clock,
            "POST /v1/chat/completions",
            SpanKind.SERVER,
            within=within,
            attributes={**attributes, **who},
        ) as (root, request):
            clock.advance(self._random.uniform(0.001, 0.004))
            if retrieve:
                self._search(clock, request)
            model = pick(self._random)
            try:
                self._call(clock, request, model, question, who)
            except RateLimitError as error:
                fallback = pick(self._random, but_not=model)
                self._gateway.log(
                    clock, "WARN", f"{error}; falling back to {fallback.name}", request, status=429
                )
                self._call(clock, request, fallback, question, who, sure=True)
            root.set_attribute("http.response.status_code", 200)

    def _search(self, clock: Clock, within: Context) -> None:
        with self._gateway.span(clock, "GET", SpanKind.CLIENT, within=within) as (_, call):
            clock.advance(0.001)
            with self._retrieval.span(
                clock,
                "GET /search",
                SpanKind.SERVER,
                within=_over_the_wire(call),
                attributes={
                    "gen_ai.operation.name": "retrieval",
                    "gen_ai.data_source.id": "help-centre",
                },
            ) as (_, search):
                used = self._random.randint(8, 40)
                attributes = call_attributes(EMBEDDING, "embeddings") | {
                    "gen_ai.response.model": EMBEDDING.name,
                    "gen_ai.usage.input_tokens": used,
                }
                name = f"embeddings {EMBEDDING.name}"
                with self._retrieval.span(
                    clock, name, SpanKind.CLIENT, within=search, attributes=attributes
                ):
                    clock.advance(
                        EMBEDDING.first_token_seconds * self._random.lognormvariate(0, 0.3)
                    )
                clock.advance(self._random.uniform(0.004, 0.02))
                found = self._random.randint(0, 8)
                self._retrieval.log(
                    clock, "INFO", f"{found} documents found", search, documents=found
                )

    def _call(
        self,
        clock: Clock,
        within: Context,
        model: Model,
        question: tuple[str, str],
        who: dict[str, str],
        *,
        sure: bool = False,
    ) -> None:
        attributes = {
            **call_attributes(model, "chat"),
            **who,
            "gen_ai.request.stream": True,
            "gen_ai.request.temperature": 0.2,
            "gen_ai.request.max_tokens": 2048,
            "observatory.tags": [f"team={self._random.choice(('support', 'growth'))}"],
        }
        with self._gateway.span(
            clock, f"chat {model.name}", SpanKind.CLIENT, within=within, attributes=attributes
        ) as (span, call):
            if not sure and self._random.random() < model.rate_limited:
                clock.advance(0.08)
                raise RateLimitError(f"{model.provider} answered 429 for {model.name}")
            used = answer(model, self._random)
            clock.advance(used.seconds)
            describe_answer(span, model, used, question)
            tokens = {"input": used.input_tokens, "output": used.output_tokens}
            self._gateway.measure(call_attributes(model, "chat"), tokens, used.seconds, call)
            body = f"{model.name} answered with {used.output_tokens} tokens"
            self._gateway.log(clock, "INFO", body, call, model=model.name)

    def _tool(self, clock: Clock, within: Context, who: dict[str, str]) -> None:
        tool = self._random.choice(TOOLS)
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "gen_ai.tool.call.arguments": json.dumps({"query": "last invoice"}),
            **who,
        }
        name = f"execute_tool {tool}"
        with self._agent.span(clock, name, within=within, attributes=attributes) as (span, call):
            if self._random.random() < TOOL_TIMEOUT_RATE:
                clock.advance(5)
                self._agent.log(clock, "ERROR", f"{tool} timed out", call, tool=tool)
                raise ToolTimeoutError(f"{tool} did not answer within 5 s")
            clock.advance(self._random.lognormvariate(-2, 0.8))
            span.set_attribute("gen_ai.tool.call.result", json.dumps({"rows": 3}))


def _over_the_wire(context: Context) -> Context:
    """Return the context as the called service sees it: from the request's `traceparent`."""
    headers: dict[str, str] = {}
    inject(headers, context)
    return extract(headers, Context())
