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
SHORT_BYTES = 512
"""Of a longer text a ``tsvector`` may lack positions: it has 16,383, and 256 of one word."""

_SQL = load("reading")
_FULFIL: LiteralString = " @@ observatory_private.word_query($1, "
_LEXEME = re.compile(r"'([^']*)'")
_JOINT = re.compile(r"(?<=[^\W_])[!#-/:-@\[-`{-~]+(?=[^\W_])")
_NOT = r"(?<!\S)-(?=[^\W_]|$)"
_PUNCTUATION = re.compile(r"[!#-/:-@\[-^`{-~]")
_PUNCTUATION_BUT_NOT = re.compile(rf"(?!{_NOT}){_PUNCTUATION.pattern}")
_ESCAPE = r"\\[bfnrt]|\\u[0-9a-f]{4}"


class Searched(msgspec.Struct, frozen=True):
    """Where the words are that a relation is searched for, as SQL."""

    text: LiteralString
    words: LiteralString
    """As the indexes have them."""


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
    phrases: tuple[str, ...]
    """Regular expressions of the phrases, if the search asks for words and phrases alone."""

    def add_to(self, where: Where, searched: Searched, *, mark: Mark = "where") -> None:
        """Require that a text is found."""
        patterns = list(self.patterns)
        if self.needs_all:
            where.add(searched.text + " ~* ALL ({}::text[])", patterns, mark=mark)
        else:
            where.add(searched.text + " ~* ANY ({}::text[])", patterns, mark=mark)
        fulfils = searched.words + _FULFIL + "websearch_to_tsquery('pg_catalog.simple', {}))"
        if self.phrases:
            where.add(
                "("
                + fulfils
                + " OR octet_length("
                + searched.text
                + ") > {} AND "
                + searched.words
                + _FULFIL
                + "{}::text::tsquery) AND "
                + searched.text
                + " ~* ALL ({}::text[]))",
                self.text,
                SHORT_BYTES,
                self.lexemes,
                list(self.phrases),
                mark=mark,
            )
        else:
            where.add(fulfils, self.text, mark=mark)

    def add_lexemes_to(self, where: Where, searched: Searched) -> None:
        """Require that a text may be found, as far as an index tells without the text."""
        where.add(searched.words + _FULFIL + "{}::text::tsquery)", self.lexemes, mark="facts")


async def parse(session: Session, text: str) -> TextQuery:
    """Return the search that a text stands for.

    Raises:
        InvalidInputError: it is longer than 256 characters, or names no word to find.

    """
    if len(text) > MOST_CHARACTERS:
        raise InvalidInputError(f"q is longer than {MOST_CHARACTERS} characters")
    text = phrased(text)
    (parsed,) = await session.fetch(_SQL["parse_text_query"], text)
    if not parsed["nodes"]:
        raise InvalidInputError("q has no word: letters or digits are searched for")
    required: str = parsed["required"]
    lexemes = _LEXEME.findall(required)
    if not lexemes:
        raise InvalidInputError("q only says what not to find: name a word to find as well")
    needs_all = "|" not in required
    return TextQuery(
        text=text,
        patterns=tuple(sorted({_pattern(lexeme) for lexeme in lexemes})),
        needs_all=needs_all,
        lexemes=(" & " if needs_all else " | ").join(f"'{lexeme}'" for lexeme in lexemes),
        phrases=_phrases(required) if needs_all and parsed["nodes"] == 2 * len(lexemes) - 1 else (),
    )


def phrased(text: str) -> str:
    """Return a search in which words are letters and digits, as they are in what is searched.

    >>> phrased('gpt-4o https://example.com/a -draft "a/b c"')
    'gpt_4o https_example_com_a -draft "a_b c"'
    """
    # Of words with an underscore between them PostgreSQL makes a phrase.
    parts = _JOINT.sub("_", text).split('"')
    last = len(parts) - 1
    return '"'.join(
        (_PUNCTUATION if number % 2 and number < last else _PUNCTUATION_BUT_NOT).sub(" ", part)
        for number, part in enumerate(parts)
    )


def _phrases(required: str) -> tuple[str, ...]:
    phrases = [_LEXEME.findall(part) for part in required.split(" & ")]
    return tuple(sorted({_pattern(*phrase) for phrase in phrases if len(phrase) > 1}))


def _pattern(*words: str) -> str:
    # PostgreSQL also parts a number from the letters after it; in JSON a word may begin after an
    # escaped line break.
    before, after = (
        "0-9" if end in "0123456789" else "[:alpha:]" for end in (words[0][0], words[-1][-1])
    )
    phrase = rf"([^[:alnum:]]|{_ESCAPE})*".join(words)
    return rf"(^|[^{before}]|{_ESCAPE}){phrase}($|[^{after}])"
