"""Replacing what must not be stored, in rows and in JSON within them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, cast

import msgspec

from observatory_store.ingest.redaction_rules import CARD_NUMBERS, KEY_NAME, RULES
from observatory_store.llm.messages import FIELDS
from observatory_store.llm.messages.normal import encoded, parsed, repeats_key
from observatory_store.rows import (
    Attributes,
    AttributeValue,
    LogRecord,
    MetricPoint,
    MetricSeries,
    Payload,
    Resource,
    Span,
)
from observatory_store.settings import Redaction

_MOST_LEVELS: Final = 64
_REDACTED_KEY: Final = f"[{Redaction.KEY.value}]"
_LEAST_CHARACTERS: Final = len("a@b.c")
# The same names come again with every span.
_MOST_NAMES: Final = 5000
_LONGEST_SHORT_NAME: Final = 100

_SPAN_TEXTS: Final = ("name", "status_message", "service_name", "environment", "trace_state")
_LOG_TEXTS: Final = ("severity_text", "event_name", "service_name")
_RESOURCE_TEXTS: Final = ("schema_url", "scope_name", "scope_version", "scope_schema_url")


class Redactor:
    """Applies the rules of some kinds."""

    def __init__(self, kinds: Iterable[Redaction]) -> None:
        chosen = set(kinds)
        self._rules = [rule for kind, rules in RULES.items() if kind in chosen for rule in rules]
        self._has_keys = Redaction.KEY in chosen
        self._short_name = lru_cache(_MOST_NAMES)(self._name)

    def text(self, text: str) -> str:
        """Return a text with what the rules find replaced; the same object if they find nothing."""
        if len(text) < _LEAST_CHARACTERS:
            return text
        lowered = text.lower()
        for rule in self._rules:
            for hint in rule.hints:
                if hint in lowered:
                    text = rule.pattern.sub(rule.replace, text)
                    break
        return text

    def spans(self, spans: Iterable[Span]) -> list[Span]:
        """Return spans with their texts redacted: all but ids, LLM columns and names of events."""
        resources = _Resources(self)
        return [self._span(span, resources) for span in spans]

    def logs(self, records: Iterable[LogRecord]) -> list[LogRecord]:
        """Return log records with their bodies and attributes redacted."""
        resources = _Resources(self)
        return [
            msgspec.structs.replace(
                record,
                body=self.value(record.body),
                attributes=self.attributes(record.attributes),
                resource=resources.redacted(record.resource),
                **self.texts(record, _LOG_TEXTS),
            )
            for record in records
        ]

    def points(self, points: Iterable[MetricPoint]) -> list[MetricPoint]:
        """Return points with their resources redacted, as those of spans and logs are.

        Not what is a series' own: two of a person each would become one with two values.
        """
        resources = _Resources(self)
        return [resources.of_point(point) for point in points]

    def _span(self, span: Span, resources: _Resources) -> Span:
        payload = span.payload
        return msgspec.structs.replace(
            span,
            attributes=self.attributes(span.attributes),
            events=tuple([self._record(event, ()) for event in span.events]),
            links=tuple([self._record(link, ("trace_state",)) for link in span.links]),
            payload=None if payload is None else self.payload(payload),
            resource=resources.redacted(span.resource),
            **self.texts(span, _SPAN_TEXTS),
        )

    def texts(self, row: Any, names: Iterable[str]) -> dict[str, str]:  # noqa: ANN401 - any row
        """Return those of the named texts that are there, redacted."""
        found = {name: getattr(row, name) for name in names}
        return {name: self.text(text) for name, text in found.items() if text}

    def payload(self, payload: Payload) -> Payload:
        """Return a payload with its texts redacted; what was JSON stays so."""
        texts = {
            name: None if text is None else self.value(text)
            for name in (*FIELDS, "content_attributes")
            for text in [getattr(payload, name)]
        }
        return msgspec.structs.replace(payload, **texts)

    def attributes(self, attributes: Attributes) -> Attributes:
        """Return a map redacted, names included."""
        return cast("Attributes", self.value(attributes))

    def value(self, value: AttributeValue) -> Any:  # noqa: ANN401 - of the type that it was
        """Return a value redacted, at all depths, in JSON texts too."""
        return self._value(value, 0)

    def _record(self, record: Any, names: Iterable[str]) -> Any:  # noqa: ANN401 - an event or link
        return msgspec.structs.replace(
            record, attributes=self.attributes(record.attributes), **self.texts(record, names)
        )

    def _value(self, value: Any, level: int) -> Any:  # noqa: ANN401
        if isinstance(value, str):
            return self._text(value, level)
        if isinstance(value, dict | list) and level >= _MOST_LEVELS:
            return self.text(str(value))
        if isinstance(value, list):
            return [self._value(item, level + 1) for item in value]
        if isinstance(value, dict):
            return dict([self._item(key, item, level + 1) for key, item in value.items()])
        number = int(value) if isinstance(value, float) and value.is_integer() else value
        if type(number) is int and number in CARD_NUMBERS:
            text = str(number)
            redacted = self.text(text)
            return value if redacted == text else redacted
        return value

    def _item(self, name: str, value: Any, level: int) -> tuple[str, Any]:  # noqa: ANN401
        is_short = len(name) <= _LONGEST_SHORT_NAME
        redacted, is_key = self._short_name(name) if is_short else self._name(name)
        if is_key and value:
            if isinstance(value, str):
                return redacted, _REDACTED_KEY
            if isinstance(value, list):  # as of a header
                value = [_REDACTED_KEY if isinstance(item, str) else item for item in value]
        return redacted, self._value(value, level)

    def _name(self, name: str) -> tuple[str, bool]:
        """Return a name redacted, and whether it is that of a key."""
        return self.text(name), self._has_keys and KEY_NAME.search(name) is not None

    def _text(self, text: str, level: int) -> str:
        # Not the JSON text itself: its escapes would hide some things, and lose their sense.
        document = parsed(text) if level < _MOST_LEVELS else None
        if document is None:
            return self.text(text)
        redacted = self._value(document, level + 1)
        # Of a key that is there twice, the document has only the last value.
        if redacted == document and not repeats_key(text):
            return text
        return encoded(redacted) or self.text(text)


class _Resources:
    """Redacts each resource of a request once."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._seen: dict[int, tuple[Resource, Resource]] = {}
        self._series: dict[int, tuple[MetricSeries, MetricSeries]] = {}

    def redacted(self, resource: Resource) -> Resource:
        """Return a resource with its own and its scope's texts redacted."""
        known = self._seen.get(id(resource))
        if known is not None:
            return known[1]
        texts: dict[str, Any] = {
            name: self._redactor.attributes(getattr(resource, name))
            for name in ("attributes", "scope_attributes")
        }
        texts |= self._redactor.texts(resource, _RESOURCE_TEXTS)
        is_same = all(getattr(resource, name) == each for name, each in texts.items())
        found = resource if is_same else msgspec.structs.replace(resource, **texts)
        self._seen[id(resource)] = (resource, found)  # which keeps the id from another's use
        return found

    def of_point(self, point: MetricPoint) -> MetricPoint:
        """Return a point with the resource of its series redacted."""
        series = point.series
        known = self._series.get(id(series))
        if known is None:
            resource = self.redacted(series.resource)
            is_same = resource is series.resource
            found = series if is_same else msgspec.structs.replace(series, resource=resource)
            known = self._series[id(series)] = (series, found)
        return point if known[1] is series else msgspec.structs.replace(point, series=known[1])
