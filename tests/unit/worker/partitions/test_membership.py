"""Our place in the group: how long it is believed in, and when it is lost for good."""

from __future__ import annotations

from streams.worker.partitions.membership import Membership


def test_session_ends_without_an_answer(now: list[float]) -> None:
    membership = Membership(10.0, static=False)
    now[0] += 9.9
    assert membership.session_alive()

    now[0] += 0.2
    assert not membership.session_alive()


def test_session_counts_from_when_the_heartbeat_left(now: list[float]) -> None:
    """The broker may have taken it at any time since: a process frozen in between knows nothing."""
    membership = Membership(10.0, static=False)
    now[0] += 5
    left = now[0]
    now[0] += 9

    assert membership.vouched_for(left)
    assert membership.session_alive()

    now[0] += 1
    assert not membership.session_alive()


def test_a_heartbeat_after_the_session_proves_nothing(now: list[float]) -> None:
    """A coordinator that still loads the group answers yes to whoever asks."""
    membership = Membership(10.0, static=False)
    now[0] += 10

    assert not membership.vouched_for(now[0])
    assert not membership.session_alive()

    membership.admitted(now[0])
    assert membership.session_alive()


def test_dynamic_member_joins_again(now: list[float]) -> None:
    membership = Membership(10.0, static=False)

    membership.member_reset()

    assert membership.lost is None


def test_static_member_fenced_in_its_session_is_out_for_good(now: list[float]) -> None:
    membership = Membership(10.0, static=True)
    now[0] += 5

    membership.member_reset()

    assert membership.lost is not None
    assert "WORKER_INSTANCE_ID" in membership.lost


def test_static_member_whose_session_ran_out_joins_again(now: list[float]) -> None:
    membership = Membership(10.0, static=True)
    now[0] += 11

    membership.member_reset()

    assert membership.lost is None
