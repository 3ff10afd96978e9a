"""Prompts with alternatives and wildcards."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.domain.prompts import MOST_CHARACTERS, resolve, unknown

HAIR = {"hair": ["red hair", "3::black hair", "{long|short} hair"], "sub/eyes": ["green eyes"]}


def all_of(template: str, wildcards: dict[str, list[str]] | None = None) -> Counter[str]:
    """What a hundred seeds make of it."""
    given = wildcards or {}
    return Counter(
        resolve(template, wildcards=given, rng=random.Random(seed)) for seed in range(100)
    )


@pytest.mark.parametrize(
    ("template", "texts"),
    [
        ("a {red|green} cat", {"a red cat", "a green cat"}),
        ("{a|{b|c}}", {"a", "b", "c"}),
        ("{a|}", {"a", ""}),
        ("{only}", {"only"}),
        ("{2$$a|b}", {"a, b", "b, a"}),
        ("{2$$ and $$a|b}", {"a and b", "b and a"}),
        ("{1-2$$+$$a|b}", {"a", "b", "a+b", "b+a"}),
        ("{9$$a|b}", {"a, b", "b, a"}),
        ("{0::a|b}", {"b"}),
        ("__sub/eyes__", {"green eyes"}),
        ("__HAIR__", {"red hair", "black hair", "long hair", "short hair"}),
        ("{__sub/eyes__|blue}", {"green eyes", "blue"}),
    ],
)
def test_a_template_means_these_texts(template: str, texts: set[str]) -> None:
    assert set(all_of(template, HAIR)) == texts


@pytest.mark.parametrize(
    "text",
    [
        "a (photo:1.2), [blurry]",
        "<lora:a__b:0.8>",
        "<lora:my__hair__style:0.8>",
        "__not_there__",
        "snake__case and __ alone",
        "an open { brace",
        "a closed } one",
        r"\(brackets\)",
        "",
    ],
)
def test_what_is_no_template_stays_as_it_is_written(text: str) -> None:
    assert set(all_of(text, HAIR)) == {text}


def test_a_backslash_keeps_the_signs() -> None:
    assert set(all_of(r"\{a\|b\} {x\|y|z}")) == {"{a|b} x|y", "{a|b} z"}


def test_alternatives_inside_a_lora_are_resolved() -> None:
    assert set(all_of("<lora:{a|b}__hair__:1>", HAIR)) == {
        "<lora:a__hair__:1>",
        "<lora:b__hair__:1>",
    }


def test_a_weight_makes_an_alternative_more_frequent() -> None:
    drawn = all_of("{9::often|seldom}")
    assert drawn["often"] > 3 * drawn["seldom"] > 0


def test_equal_dice_give_equal_texts() -> None:
    template = "{a|b|c} __hair__ {2$$x|y|z}"
    first, second = (
        [resolve(template, wildcards=HAIR, rng=random.Random(seed)) for seed in range(50)]
        for _ in range(2)
    )
    assert first == second


def test_a_file_that_names_itself_comes_to_an_end() -> None:
    text = resolve("__me__", wildcards={"me": ["x __me__ __me__"]}, rng=random.Random(1))
    assert len(text) <= MOST_CHARACTERS


def test_wildcards_without_lines_are_named() -> None:
    assert unknown("__hair__ __Nope__ <lora:a__b__c:1> __nope2__", wildcards=HAIR) == (
        "Nope",
        "nope2",
    )


@pytest.mark.parametrize(
    "text", ["{" * 90_000, "}" * 90_000, "{}" * 45_000, "{a|" * 20_000 + "}" * 20_000, "__me__"]
)
def test_hostile_templates_are_short_work(text: str) -> None:
    """Taken for what it says, each of these would take hours."""
    made = resolve(text, wildcards={"me": ["__me____me____me__"]}, rng=random.Random(1))
    assert len(made) <= MOST_CHARACTERS


@given(st.text(alphabet="{}|_ab<>$:1\\ ", max_size=60), st.integers(0, 2**53 - 1))
def test_any_text_resolves_and_never_fails(text: str, seed: int) -> None:
    first = resolve(text, wildcards={"a": ["b"]}, rng=random.Random(seed))
    assert resolve(text, wildcards={"a": ["b"]}, rng=random.Random(seed)) == first
