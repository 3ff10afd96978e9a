"""Autopsies share rejected images out among the ancestors that explain them."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shortlist.domain.autopsies import Open, parts

DEPTH = 3


@st.composite
def a_run(draw: st.DrawFn) -> tuple[list[Open], dict[tuple[int, int], int]]:
    """Some images of a random tree, rejected, and the images below each by step."""
    above: list[tuple[int, ...]] = [()]
    for id in range(1, draw(st.integers(2, 25))):
        shallow = [up for up, elders in enumerate(above[:id]) if len(elders) < DEPTH]
        parent = draw(st.sampled_from([None, *shallow]))
        above.append(() if parent is None else (*above[parent], parent))
    made = Counter((up, len(elders)) for elders in above for up in elders)
    children = [Open(id, len(elders), elders) for id, elders in enumerate(above) if elders]
    rejected = [each for each in children if draw(st.booleans())]
    return rejected, dict(made)


@given(a_run())
def test_every_image_is_explained_once_by_an_ancestor_of_its_own(
    run: tuple[list[Open], dict[tuple[int, int], int]],
) -> None:
    found, made = run
    shared = parts(found, made=made)
    assert sorted(each.id for part in shared for each in part.images) == [e.id for e in found]
    assert all(part.ancestor in each.above for part in shared for each in part.images)
    assert len({part.ancestor for part in shared}) == len(shared)
    assert all(len(part.images) <= part.made for part in shared)


@given(a_run())
def test_the_first_ancestor_explains_at_least_as_much_as_any_other(
    run: tuple[list[Open], dict[tuple[int, int], int]],
) -> None:
    found, made = run
    if not found:
        assert parts(found, made=made) == []
        return

    def share(ancestor: int) -> float:
        images = [each for each in found if ancestor in each.above]
        siblings = sum(made[ancestor, order] for order in {each.step_order for each in images})
        return len(images) ** 2 / siblings

    first = parts(found, made=made)[0]
    assert share(first.ancestor) >= max(share(up) for each in found for up in each.above) - 1e-9


def test_one_bad_child_of_many_is_the_fault_of_its_nearest_ancestor() -> None:
    found = [Open(9, 3, (1, 2, 3))]
    (part,) = parts(found, made={(1, 3): 12, (2, 3): 6, (3, 3): 2})
    assert (part.ancestor, part.made) == (3, 2)
