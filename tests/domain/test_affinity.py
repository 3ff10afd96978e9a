"""How long a chosen job is left to the servers that have its models."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.domain.affinity import COURTESY_SECONDS, Load, patience

SLOW = Load(load_seconds=20.0, warm_seconds=2.0)
QUICK = Load(load_seconds=0.9, warm_seconds=0.1)


@dataclass
class Server:
    """How busy a server is."""

    taken: int = 0
    is_free: bool = True


@pytest.mark.parametrize("load", [None, QUICK])
def test_a_free_server_goes_first_for_a_moment_also_where_nothing_was_measured(load):
    assert patience(Server(), [Server()], load=load, waiting=100) == COURTESY_SECONDS
    assert patience(Server(), [Server(is_free=False)], load=load, waiting=1) == 0.0
    assert patience(Server(), [Server(taken=1)], load=load, waiting=1) == 0.0


@pytest.mark.parametrize(
    ("waiting", "warm", "waits"), [(1, 1, True), (9, 1, True), (10, 1, False), (20, 2, True)]
)
def test_an_idle_server_loads_only_for_more_than_the_others_do_meanwhile(waiting, warm, waits):
    others = [Server(taken=2, is_free=False), Server()][:warm]
    assert bool(patience(Server(), others, load=SLOW, waiting=waiting)) is waits


def test_a_server_with_a_job_at_work_leaves_the_next_one_however_many_there_are():
    busy = Server(taken=2, is_free=False)
    assert patience(Server(taken=1), [busy], load=SLOW, waiting=1000) > 0


@given(
    st.integers(0, 2),
    st.lists(st.integers(0, 2), max_size=4),
    st.floats(0.01, 600),
    st.floats(0.01, 600),
    st.integers(1, 1000),
)
def test_nobody_waits_for_longer_than_two_loads_or_for_no_one(taken, others, load, warm, waiting):
    servers = [Server(taken=each, is_free=each < 2) for each in others]
    cost = Load(load_seconds=load, warm_seconds=warm)
    waits = patience(Server(taken=taken), servers, load=cost, waiting=waiting)
    assert 0 <= waits <= max(COURTESY_SECONDS, 2 * load)
    assert servers or not waits
