"""What a text search asks for, in the syntax of web searches."""

from __future__ import annotations

import re
from typing import LiteralString

import msgspec

from observatory_store.errors import InvalidInputError
from observatory_store.repositories.session import Session
from observatory_store.repositories.where import Mark, Where
from observatory_store.sql import load

MOST_CHARACTERS = 256

_SQL = load("reading")
_WORDS_OF: LiteralString = "observatory_private.words_of(project_id, "
_FULFIL: LiteralString = ") @@ observatory_private.word_query($1, "
_LEXEME = re.compile(r"'((?:[^'\\]|''|\\\\)*)'")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


class TextQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A search that names at least one word to find."""

    text: str
    """As PostgreSQL's ``websearch_to_tsquery`` takes it."""
    patterns: tuple[str, ...]
    """Regular expressions of the words to find: to try them first is ten times as fast."""
    needs_all: bool
    """Whether a text that is found has all of these words, or one of them."""
    lexemes: str
    """The same words as a ``tsquery`` that an index answers alone, without reading texts."""

    def add_to(self, where: Where, content: LiteralString, *, mark: Mark = "where") -> None:
        """Require that a text, given as SQL, is found."""
        patterns = list(self.patterns)
        if self.needs_all:
            where.add(content + " ~* ALL ({}::text[])", patterns, mark=mark)
        else:
            where.add(content + " ~* ANY ({}::text[])", patterns, mark=mark)
        where.add(
            _WORDS_OF + content + _FULFIL + "websearch_to_tsquery('pg_catalog.simple', {}))",
            self.text,
            mark=mark,
        )

    def add_lexemes_to(self, where: Where, content: LiteralString) -> None:
        """Require that a text may be found, as far as an index tells without the text."""
        where.add(_WORDS_OF + content + _FULFIL + "{}::text::tsquery)", self.lexemes, mark="facts")


async def parse(session: Session, text: str) -> TextQuery:
    """Return the search that a text stands for.

    Raises:
        InvalidInputError: it is longer than 256 characters, or names no word to find.

    """
    if len(text) > MOST_CHARACTERS:
        raise InvalidInputError(f"q is longer than {MOST_CHARACTERS} characters")
    (parsed,) = await session.fetch(_SQL["parse_text_query"], text)
    if not parsed["nodes"]:
        raise InvalidInputError("q has no word: letters or digits are searched for")
    required: str = parsed["required"]
    lexemes = [_unquoted(found) for found in _LEXEME.findall(required)]
    if not lexemes:
        raise InvalidInputError("q only says what not to find: name a word to find as well")
    needs_all = "|" not in _LEXEME.sub("", required)
    return TextQuery(
        text=text,
        patterns=tuple(sorted({_pattern(lexeme) for lexeme in lexemes})),
        needs_all=needs_all,
        lexemes=(" & " if needs_all else " | ").join(
            f"'{quoted}'" for quoted in _LEXEME.findall(required)
        ),
    )


def _unquoted(lexeme: str) -> str:
    return lexeme.replace("''", "'").replace("\\\\", "\\")


def _pattern(lexeme: str) -> str:
    # A word ends where letters and digits do; in JSON it may begin after an escaped line break.
    word = _PUNCTUATION.sub(r"\\\g<0>", lexeme)
    return rf"(^|[^[:alnum:]]|\\[bfnrt]){word}($|[^[:alnum:]])"
