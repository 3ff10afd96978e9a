"""Colours that go together: a handful of schemes, skins and hair colours, and mixing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from random import Random

from shortlist.simulator.brush import Color


class Place(Enum):
    """What is behind the figure."""

    CITY = "city"
    HILLS = "hills"
    SEA = "sea"
    ROOM = "room"
    NIGHT = "night"
    BLOSSOM = "blossom"


def rgb(code: str) -> Color:
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


def _all(codes: str) -> tuple[Color, ...]:
    return tuple(rgb(code) for code in codes.split())


def mix(first: Color, second: Color, share: float) -> Color:
    """`first`, with this share of `second` in it."""
    keep = 1 - share
    return (
        round(first[0] * keep + second[0] * share),
        round(first[1] * keep + second[1] * share),
        round(first[2] * keep + second[2] * share),
    )


def darker(color: Color, share: float = 0.25) -> Color:
    return mix(color, (38, 22, 58), share)


def lighter(color: Color, share: float = 0.3) -> Color:
    return mix(color, (255, 250, 240), share)


@dataclass(frozen=True, slots=True)
class Scheme:
    """The colours of one picture, from the sky down to the second colour of the clothes."""

    name: str
    sky: tuple[Color, Color]
    far: Color
    mid: Color
    near: Color
    glow: Color
    cloth: Color
    second: Color
    dark: bool = False
    """Night: windows and stars shine."""


def _scheme(name: str, codes: str, *, dark: bool = False) -> Scheme:
    top, low, far, mid, near, glow, cloth, second = _all(codes)
    return Scheme(name, (top, low), far, mid, near, glow, cloth, second, dark)


SCHEMES = (
    _scheme("noon", "5bb8f0 d9f1fb 9fd0e0 69b59b 3f8f77 fff6cf e8503f fbe8c8"),
    _scheme("dawn", "8f9fe0 ffd9c2 d8a9c0 a878a8 6d5590 fff0b8 2f4d8a ffd27a"),
    _scheme("dusk", "46327e ff8f6b b0557d 6f3a72 3c2356 ffd58a 1f9e9a fff0dc"),
    _scheme("gold", "f7c873 fff0cf e0a45c b9763f 7c4a30 fffbe0 2c5f6e f4efe4"),
    _scheme("mint", "9fe0d0 f2fbf0 8cc9bb 55a392 2f7468 ffffff f2785c 24506a"),
    _scheme("rose", "f6a9bd fdeef0 e28aa5 b96388 7e4069 fff4e0 31456a f9d9c4"),
    _scheme("autumn", "e9b872 fbe9cf cf7f45 a8532f 6a3326 fff3c4 3f6b52 f0d9a0"),
    _scheme("night", "0d1440 3a3f86 2b3170 1d2152 11143a ffe9a8 d8557a f3d9b8", dark=True),
    _scheme("neon", "150b33 5a1e78 3b1663 260f4a 140830 38e8e0 ff4fa0 2fd6e6", dark=True),
    _scheme("aurora", "0a2440 2c7a78 1d4f63 123750 0a2036 a8ffd6 f0a53c e9f5ee", dark=True),
)

SKINS = _all("ffdfc8 f7cba6 eab68a d0936a a86b47 7a4a33")
HAIRS = _all("2b2230 4a2e22 7b4526 b5713a e3b768 c9452e d9d3e6 f28ab2 4f6fd0 3aa38f 7a54b8")
EYES = _all("4f8f5a 3f74c4 7a4f2c 8a5fc0 2f9aa8 b0762a")

DAYLIGHT = frozenset({Place.ROOM, Place.BLOSSOM})
"""Places that are drawn by day unless a prompt says otherwise."""

_WORDS_OF_PLACES: dict[str, Place] = {
    "city": Place.CITY,
    "street": Place.CITY,
    "cyberpunk": Place.CITY,
    "neon": Place.CITY,
    "hill": Place.HILLS,
    "mountain": Place.HILLS,
    "meadow": Place.HILLS,
    "field": Place.HILLS,
    "sea": Place.SEA,
    "beach": Place.SEA,
    "ocean": Place.SEA,
    "room": Place.ROOM,
    "indoor": Place.ROOM,
    "studio": Place.ROOM,
    "window": Place.ROOM,
    "night": Place.NIGHT,
    "star": Place.NIGHT,
    "moon": Place.NIGHT,
    "blossom": Place.BLOSSOM,
    "garden": Place.BLOSSOM,
    "forest": Place.BLOSSOM,
    "spring": Place.BLOSSOM,
}
_WORDS_OF_SCHEMES: dict[str, str] = {
    "cyberpunk": "neon",
    "neon": "neon",
    "night": "night",
    "aurora": "aurora",
    "dawn": "dawn",
    "morning": "dawn",
    "dusk": "dusk",
    "sunset": "dusk",
    "evening": "dusk",
    "autumn": "autumn",
    "golden": "gold",
    "warm": "gold",
    "spring": "rose",
    "summer": "noon",
    "noon": "noon",
}


NAMED_SHARE = 0.7
"""How often the colours that a prompt names are used; now and then its sampler knows better."""


def choose(dice: Random, prompt: str) -> tuple[Place, Scheme]:
    """Place and colours: mostly what the prompt names, else what the dice say."""
    words = prompt.lower()
    place = next((p for word, p in _WORDS_OF_PLACES.items() if word in words), None)
    name = next((n for word, n in _WORDS_OF_SCHEMES.items() if word in words), None)
    place = place or dice.choice(list(Place))
    dark = place is Place.NIGHT or (place not in DAYLIGHT and dice.random() < 0.35)
    named = next((scheme for scheme in SCHEMES if scheme.name == name), None)
    if named and dice.random() < NAMED_SHARE:
        return place, _dressed(named, dice)
    dark = named.dark if named else dark
    return place, _dressed(dice.choice([s for s in SCHEMES if s.dark == dark]), dice)


def _dressed(scheme: Scheme, dice: Random) -> Scheme:
    """The scheme with clothes of its own colours, used one way or another."""
    cloth, second = scheme.cloth, scheme.second
    ways = (
        (cloth, second),
        (second, cloth),
        (mix(scheme.mid, cloth, 0.2), lighter(second, 0.2)),
        (mix(cloth, scheme.sky[0], 0.45), second),
        (mix(second, (255, 255, 255), 0.45), cloth),
    )
    cloth, second = dice.choice(ways)
    return replace(scheme, cloth=cloth, second=second)
