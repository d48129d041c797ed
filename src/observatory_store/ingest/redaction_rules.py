"""What is looked for in texts: addresses, numbers of phones and cards, keys.

Each pattern takes time in proportion to the text, whatever the text is: runs are possessive and
begin only where the character before is none of theirs, everything else is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from observatory_store.settings import Redaction


class Rule(NamedTuple):
    """What is looked for, and what becomes of it."""

    pattern: re.Pattern[str]
    replace: Callable[[re.Match[str]], str]
    hints: tuple[str, ...] = ("",)
    """A text without any of these, in lower case, has nothing of the kind."""


def _email(match: re.Match[str]) -> str:
    # `package@1.2.3` is no address.
    return "[email]" if match[1].rstrip("-_")[-1].isalpha() else match[0]


def _cards(match: re.Match[str]) -> str:
    """Replace the numbers of cards within groups of digits, each a separator apart."""
    text = match[0]
    groups = [(group.start(), group.end()) for group in _DIGITS.finditer(text)]
    if match.string[match.end() : match.end() + 1].isalnum():
        del groups[-1]  # which goes on as something else
    redacted, done, first = [], 0, 0
    while first < len(groups):
        last = _card(text, groups, first)
        if last is None:
            first += 1
            continue
        redacted += [text[done : groups[first][0]], "[card]"]
        done = groups[last][1]
        first = last + 1
    return "".join((*redacted, text[done:]))


def _card(text: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """Return the last of the groups of digits that are a card's number from the first on."""
    digits = ""
    found = None
    for place in range(first, len(groups)):
        digits += text[slice(*groups[place])]
        if len(digits) > _MOST_DIGITS:
            break
        if len(digits) >= _LEAST_DIGITS and digits[0] in "23456" and is_luhn(digits):
            found = place
    return found


def is_luhn(digits: str) -> bool:
    """Tell whether the check digit of a number is right (ISO/IEC 7812-1, annex B)."""
    doubled = digits[-2::-2].translate(_SUM_OF_DOUBLE)
    return sum(map(int, digits[-1::-2] + doubled)) % 10 == 0


_SUM_OF_DOUBLE: Final = str.maketrans("0123456789", "0246813579")
_LEAST_DIGITS, _MOST_DIGITS = 13, 19
CARD_NUMBERS: Final = range(10 ** (_LEAST_DIGITS - 1), 10**_MOST_DIGITS)
"""Integers that may be a card's number."""

_DIGITS: Final = re.compile(r"[0-9]++")

# Each begins with a class of characters, which is searched for fast, and only then looks behind it.
# The letter of an escape belongs to no word: broken JSON is looked through as a text.
_KEY: Final = r"""
    [A-Za-z] (?: (?<![A-Za-z0-9_-].) | (?<=\\[nrt].) ) (?:
        (?: (?<=[srp]) k)[-_][A-Za-z0-9_-]{20,}+            # OpenAI, Anthropic, Stripe, Langfuse, …
      | (?: (?<=g)sk | (?<=h)f | (?<=r)8 | (?<=p)plx | (?<=x)ai | (?<=n)vapi | (?<=o)bs | (?<=g)lpat
          | (?<=d)sa | (?<=d)op_v1 | (?<=n)pm | (?<=p)ypi | (?<=t)vly | (?<=l)sv2 | (?<=c)sk
          | (?<=f)w
        ) [-_][A-Za-z0-9_-]{20,}+
      | (?<=g) (?: h[opsru]_[A-Za-z0-9]{30,}+ | ithub_pat_[A-Za-z0-9_]{22,}+ )
      | (?<=A) (?: Iza[A-Za-z0-9_-]{35}+ | (?:KIA|SIA)[A-Z0-9]{16}+ )
      | (?<=y) a29\.[A-Za-z0-9_-]{20,}+
      | (?<=x) ox[abeoprs]-[A-Za-z0-9-]{10,}+
      | (?<=e) yJ[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{5,}+    # JSON web tokens
    )
"""
_CREDENTIAL: Final = r"""
    [Bb] (?<![A-Za-z].) (?i:earer|asic) \s{1,8}+
    (?=[A-Za-z._~+/-]{0,64}[0-9]) [A-Za-z0-9._~+/-]{16,}+ =*+
"""
_KEY_NAME: Final = r"""
    (?i:aws_?secret_?(?:access_?)?key|api[_-]?key|secret[_-]?key|access[_-]?token)
"""
_NAMED_KEY: Final = (
    _KEY_NAME + r"""["']{0,2}+ \s{0,8}+ [:=] \s{0,8}+ ["']?+ [A-Za-z0-9._~+/=-]{16,}+"""
)
_PRIVATE_KEY: Final = r"""
    -----BEGIN[ ](?:[A-Z0-9]{1,20}+[ ]){0,3}PRIVATE[ ]KEY(?:[ ]BLOCK)?-----
    (?: \s*+ (?:Proc-Type|DEK-Info|Version|Comment): [^\n\\]*+ )*+
    (?: [A-Za-z0-9+/=\s] | \\[nr] )*+
    (?: -----END[ ](?:[A-Z0-9]{1,20}+[ ]){0,3}PRIVATE[ ]KEY(?:[ ]BLOCK)?----- )?+
"""
_EMAIL: Final = r"(?<![\w.%+-])[\w.%+-]++@([\w-]++(?:\.[\w-]++)++)"
_APART: Final = r"\-\u00a0\u2010-\u2015\u202f"
"""Dashes, typesetters' ones too, and spaces that do not break: they separate digits."""
_CARD: Final = r"""
    [0-9] (?: (?<!\w.) | (?<=\\[nrt].) )
    [0-9]{2,18}+ (?:[ ~][0-9]{3,19}+)*+ (?:[ ~][0-9]{1,2}+)?+
""".replace("~", _APART)
_PHONE: Final = r"""
    [0-9(+] (?: (?<![\w.+-].) | (?<=\\[nrt].) ) (?:
        (?<=\+) [0-9](?:[ ().~]{0,2}[0-9]){7,14}
      | (?<=1) [ .~] (?:\([0-9]{3}\)[ \u00a0\u202f]? | [0-9]{3}[ .~]) [0-9]{3}[ .~][0-9]{4}
      | (?<=\() [0-9]{3}\)[ \u00a0\u202f]? [0-9]{3}[ .~][0-9]{4}
      | (?<=[0-9]) [0-9]{2}[ .~] [0-9]{3}[ .~][0-9]{4}
    ) (?![0-9])
""".replace("~", _APART)


KEY_NAME: Final = re.compile(rf"(?: {_KEY_NAME} | (?i:authorization) )\Z", re.VERBOSE)
"""What names end with whose value, in a map, is a key."""


def _rule(kind: Redaction, pattern: str, *hints: str) -> Rule:
    return Rule(re.compile(pattern, re.VERBOSE), lambda _: f"[{kind.value}]", hints or ("",))


RULES: Final[Mapping[Redaction, tuple[Rule, ...]]] = {
    # Before the others, which could take the middle of a key.
    Redaction.KEY: (
        _rule(Redaction.KEY, _PRIVATE_KEY, "private key"),
        _rule(Redaction.KEY, _KEY, "-", "_", "aiza", "akia", "asia", "ya29.", "eyj"),
        _rule(Redaction.KEY, _CREDENTIAL, "bearer", "basic"),
        _rule(Redaction.KEY, _NAMED_KEY, "key", "token"),
    ),
    Redaction.EMAIL: (Rule(re.compile(_EMAIL), _email, ("@",)),),
    Redaction.CARD: (Rule(re.compile(_CARD, re.VERBOSE), _cards),),
    Redaction.PHONE: (_rule(Redaction.PHONE, _PHONE),),
}
