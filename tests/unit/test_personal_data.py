"""What docs/personal-data.md says of retention and deletion, against topics and settings."""

from __future__ import annotations

import re

import pytest
import yaml

from streams.settings import Settings
from tests.support.documents import ROOT

TEXT = (ROOT / "docs" / "personal-data.md").read_text()
DECLARED = yaml.safe_load((ROOT / "topics" / "topics.yaml").read_text())
DAY_MS = 86_400_000


@pytest.mark.parametrize("topic", DECLARED["topics"])
def test_a_topic_is_kept_for_the_days_that_are_told(topic: str) -> None:
    (days,) = re.findall(rf"^\| topic `{topic}` \| .* \| (\d+) days \|$", TEXT, re.MULTILINE)
    assert DECLARED["topics"][topic]["config"]["retention.ms"] == int(days) * DAY_MS


@pytest.mark.parametrize("topic", DECLARED["topics"])
def test_a_tombstone_removes_nothing_from_a_topic(topic: str) -> None:
    assert DECLARED["topics"][topic]["config"]["cleanup.policy"] == "delete"


def test_the_state_is_forgotten_after_its_ttl() -> None:
    (changelog,) = DECLARED["changelogs"].values()
    assert changelog["config"]["cleanup.policy"] == "compact,delete"
    assert changelog["retention-in-state-ttls"] == 1
    (hours,) = re.findall(r"`STATE_TTL_SECONDS` \((\d+) hours\)", TEXT)
    assert Settings.model_fields["state_ttl_seconds"].default == int(hours) * 3600


def test_what_identifies_people_is_left_out_unless_it_is_asked_for() -> None:
    assert "With `BRIDGE_KEEP=all` the event byte for byte" in TEXT
    assert Settings.model_fields["bridge_keep"].default == "needed"
