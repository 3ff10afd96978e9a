"""A run's images as a tree of text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from shortlist.domain.model import CandidateStatus
from shortlist.services.images import Table


def tree(table: Table, *, names: Mapping[int, str]) -> list[str]:
    """One line an image, children below their parent; `names` are the steps' by order."""
    children: defaultdict[int | None, list[int]] = defaultdict(list)
    for place, parent in enumerate(table.parent_id):
        children[parent].append(place)
    lines: list[str] = []
    for place in children[None]:
        lines.append(_line(table, place, names))
        lines.extend(_below(table, children, place, names, indent=""))
    return lines


def _below(
    table: Table,
    children: Mapping[int | None, list[int]],
    place: int,
    names: Mapping[int, str],
    *,
    indent: str,
) -> Iterator[str]:
    own = children.get(table.id[place], [])
    for child in own:
        last = child == own[-1]
        yield f"{indent}{'└─ ' if last else '├─ '}{_line(table, child, names)}"
        deeper = indent + ("   " if last else "│  ")
        yield from _below(table, children, child, names, indent=deeper)


def _line(table: Table, place: int, names: Mapping[int, str]) -> str:
    fate = "killed" if table.status[place] is CandidateStatus.REJECTED else ""
    if not fate and table.dead[place]:
        fate = "dead with its branch"
    votes = table.votes[place]
    words = f"{names[table.step_order[place]]} {table.id[place]}: {table.elo[place]:.0f}"
    return f"{words}, {votes} vote{'' if votes == 1 else 's'}{', ' + fate if fate else ''}"
