"""Prompts with alternatives and wildcards, resolved to one text by dice whose seed is known.

    {red|green|blue}        one of them
    {3::red|green}          red three times as often
    {2$$red|green|blue}     two of them, joined by a comma
    {1-2$$ and $$a|b|c}     one or two of them, joined by " and "
    __hair__                a line of the wildcard file `hair`, of `sub/hair` for `__sub/hair__`
    \\{ \\} \\|                the signs themselves

A lora between angle brackets keeps its underscores; what is no alternative and no known wildcard
stays as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

MOST_DEPTH: Final = 20
"""Alternatives in wildcards in alternatives; a file that names itself ends there."""

MOST_CHARACTERS: Final = 100_000
"""Of a resolved prompt: files that name each other grow with every level."""

Wildcards = Mapping[str, Sequence[str]]
"""The lines of each wildcard file under its name in lower case."""

_WILDCARD = re.compile(r"__((?:[A-Za-z0-9/.-]|_(?!_))+)__")
_WEIGHT = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)::")
_SEVERAL = re.compile(r"\s*(\d{1,3})(?:-(\d{1,3}))?\$\$(?:([^$|{}]*)\$\$)?")
_LORA = re.compile(r"<[^<>\n]*>")


def resolve(template: str, *, wildcards: Wildcards, rng: random.Random) -> str:
    """One text of all that the template can mean; the same dice give the same text."""
    return _Resolver(wildcards, rng).text(template, depth=0)[:MOST_CHARACTERS]


def unknown(template: str, *, wildcards: Wildcards) -> tuple[str, ...]:
    """The wildcards that the template names and that have no lines, in order."""
    named = (name for _, name in _named(template))
    return tuple(dict.fromkeys(name for name in named if not wildcards.get(name.lower())))


@dataclass(frozen=True, slots=True)
class _Option:
    text: str
    weight: float


@dataclass(slots=True)
class _Resolver:
    """Walks one template; `room` is how many characters may still be made."""

    wildcards: Wildcards
    rng: random.Random
    room: int = MOST_CHARACTERS

    def text(self, template: str, *, depth: int) -> str:
        if depth > MOST_DEPTH or self.room <= 0:
            return ""
        ends, names = _braces(template), dict(_named(template))
        made: list[str] = []
        place = 0
        while place < len(template) and self.room > 0:
            piece, place = self._piece(template, place, ends=ends, names=names, depth=depth)
            made.append(piece)
        return "".join(made)

    def _piece(
        self,
        template: str,
        place: int,
        *,
        ends: Mapping[int, int],
        names: Mapping[int, str],
        depth: int,
    ) -> tuple[str, int]:
        """What stands at `place`, resolved, and where the next piece begins."""
        self.room -= 1
        if place in ends:
            inside = template[place + 1 : ends[place]]
            return self._picked(inside, depth=depth + 1), ends[place] + 1
        lines = self.wildcards.get(names[place].lower()) if place in names else None
        if lines:
            options = [_option(line) for line in lines]
            after = place + len(names[place]) + 4
            return self.text(self._draw(options).text, depth=depth + 1), after
        sign = template[place]
        if sign == "\\" and template[place + 1 : place + 2] in ("{", "}", "|"):
            sign, place = template[place + 1], place + 1
        return sign, place + 1

    def _picked(self, inside: str, *, depth: int) -> str:
        several = _SEVERAL.match(inside)
        options = [_option(text) for text in _parts(inside[several.end() if several else 0 :])]
        if several is None:
            return self.text(self._draw(options).text, depth=depth)
        low = int(several[1])
        high = max(low, int(several[2] or low))
        joint = ", " if several[3] is None else several[3]
        count = min(low + int(self.rng.random() * (high - low + 1)), len(options))
        return joint.join(self.text(each.text, depth=depth) for each in self._hand(options, count))

    def _hand(self, options: list[_Option], count: int) -> Iterator[_Option]:
        """`count` of the options, none twice."""
        left = list(options)
        for _ in range(count):
            drawn = self._draw(left)
            left.remove(drawn)
            yield drawn

    def _draw(self, options: Sequence[_Option]) -> _Option:
        total = sum(option.weight for option in options)
        drawn = self.rng.random() * (total or len(options))
        for option in options:
            drawn -= option.weight if total else 1
            if drawn < 0:
                return option
        return options[-1]


def _option(text: str) -> _Option:
    weight = _WEIGHT.match(text)
    return _Option(text[weight.end() :], float(weight[1])) if weight else _Option(text, 1.0)


def _named(template: str) -> Iterator[tuple[int, str]]:
    """Where wildcards stand, and their names; not those between angle brackets."""
    loras = [match.span() for match in _LORA.finditer(template)]
    for match in _WILDCARD.finditer(template):
        if not any(start < match.start() < end for start, end in loras):
            yield match.start(), match[1]


def _braces(template: str) -> dict[int, int]:
    """The outermost pairs of braces: where each opens and closes."""
    waiting: list[int] = []
    pairs: list[tuple[int, int]] = []
    for place in _signs(template, "{}"):
        if template[place] == "{":
            waiting.append(place)
        elif waiting:
            pairs.append((waiting.pop(), place))
    outermost: dict[int, int] = {}
    reached = -1
    for start, end in sorted(pairs):
        if start > reached:
            outermost[start] = reached = end
    return outermost


def _parts(inside: str) -> list[str]:
    """The alternatives between braces, split where no inner pair is open."""
    places, depth = [-1], 0
    for place in _signs(inside, "{}|"):
        sign = inside[place]
        if sign == "|" and depth == 0:
            places.append(place)
        elif sign != "|":
            depth = max(0, depth + (1 if sign == "{" else -1))
    places.append(len(inside))
    return [inside[start + 1 : end] for start, end in pairwise(places)]


def _signs(text: str, signs: str) -> Iterator[int]:
    """Where these signs stand without a backslash before them."""
    place = 0
    while place < len(text):
        if text[place] == "\\" and text[place + 1 : place + 2] in ("{", "}", "|"):
            place += 2
            continue
        if text[place] in signs:
            yield place
        place += 1
