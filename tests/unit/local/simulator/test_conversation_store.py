"""Conversations that change with time, and what was written laid over them."""

from __future__ import annotations

from typing import Any

from streams.local.conversations.history import Work
from streams.local.conversations.scenario import Reply
from streams.local.simulator.conversation_store import ConversationStore, Write
from tests.support.scenarios import CODE, START_MS, call, told

END = START_MS + 61_000
TIMED_OUT = Work(END, END + 120_000, "ININ-WRAP-UP-TIMEOUT")


class Shelf:
    """A store with one call in it, and a hand on its clock."""

    def __init__(self, work: Work | None = None, **more: Any) -> None:
        self.now_ms = START_MS
        self.history = call(work)
        self.store = ConversationStore(lambda: self.now_ms / 1000)
        self.store.load([told(self.history, **more)])
        self.agent = self.history.agents[0]

    def write(self, *, shows_after: int | None = 0, **other: Any) -> None:
        usual: dict[str, Any] = {
            "at_ms": self.now_ms,
            "method": "participant",
            "conversation_id": self.history.id,
            "participant_id": self.agent.id,
            "communication_id": None,
            "code": CODE,
            "keeps_end_time": True,
            "status": 202,
            "shows_at_ms": None if shows_after is None else self.now_ms + shows_after,
        }
        self.store.write(Write(**(usual | other)))

    def shown(self) -> dict[str, Any]:
        found = self.store.participant(self.history.id, self.agent.id)
        assert found is not None
        return found


def test_get_answers_what_is_so_at_its_time() -> None:
    shelf = Shelf(lag_ms=500)
    assert shelf.store.find(shelf.history.id) is None
    shelf.now_ms += 500
    assert shelf.shown()["calls"][0]["state"] == "alerting"
    shelf.now_ms += 1_000
    assert shelf.shown()["calls"][0]["state"] == "connected"
    shelf.now_ms = END + 500
    assert shelf.shown()["calls"][0]["afterCallWork"]["state"] == "pending"
    assert shelf.store.find("another") is None


def test_a_write_shows_late_and_in_both_places() -> None:
    shelf = Shelf(TIMED_OUT)
    shelf.now_ms = END + 121_000
    before = shelf.shown()["wrapup"]
    shelf.write(shows_after=8_000)
    assert shelf.shown()["wrapup"]["code"] == "ININ-WRAP-UP-TIMEOUT"
    shelf.now_ms += 8_000
    assert shelf.shown()["wrapup"] == before | {"code": CODE}
    assert shelf.shown()["calls"][0]["wrapup"]["code"] == CODE


def test_the_end_time_moves_unless_it_is_kept() -> None:
    shelf = Shelf(TIMED_OUT)
    shelf.now_ms = END + 200_000
    shelf.write(keeps_end_time=False)
    wrap_up = shelf.shown()["wrapup"]
    assert wrap_up["endTime"] == "2026-03-02T09:04:21.000Z"
    assert wrap_up["durationSeconds"] == 200


def test_a_code_where_there_was_none() -> None:
    shelf = Shelf()
    shelf.now_ms = END + 130_000
    shelf.write()
    assert shelf.shown()["wrapup"]["code"] == CODE
    assert "endAcwTime" not in shelf.shown()


def test_what_took_no_effect_never_shows() -> None:
    shelf = Shelf()
    shelf.now_ms = END + 130_000
    shelf.write(shows_after=None, status=400)
    assert "wrapup" not in shelf.shown()
    assert [write.status for write in shelf.store.written(shelf.history.id)] == [400]


def test_only_the_leg_that_is_meant_is_changed() -> None:
    shelf = Shelf(TIMED_OUT)
    shelf.now_ms = END + 121_000
    shelf.write(communication_id="another-call")
    assert shelf.shown()["calls"][0]["wrapup"]["code"] == "ININ-WRAP-UP-TIMEOUT"
    found = shelf.store.find(shelf.history.id)
    assert found is not None
    assert "wrapup" not in found["participants"][0]


def test_a_script_of_answers() -> None:
    always = Shelf(answers={"patch": {"status": 400}})
    assert [always.store.reply(always.history.id, "patch") for _ in range(2)] == [Reply(400)] * 2
    assert always.store.reply(always.history.id, "get") is None
    in_turn = Shelf(answers={"get": [{"status": 503}, {"status": 404}]})
    replies = [in_turn.store.reply(in_turn.history.id, "get") for _ in range(3)]
    assert replies == [Reply(503), Reply(404), None]


def test_a_reset_forgets_what_was_written_and_begins_scripts_anew() -> None:
    shelf = Shelf(answers={"get": [{"status": 503}]})
    shelf.store.reply(shelf.history.id, "get")
    shelf.now_ms = END
    shelf.write()
    shelf.store.reset()
    assert shelf.store.writes == []
    assert "wrapup" not in shelf.shown()
    assert shelf.store.reply(shelf.history.id, "get") == Reply(503)
