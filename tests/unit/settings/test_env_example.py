"""``.env.example`` has every setting with its default, and can be used as it lies there."""

from __future__ import annotations

import re
from pathlib import Path

from streams.environment import read_env_file
from streams.settings import Settings
from tests.support.documents import ROOT

EXAMPLE = ROOT / ".env.example"
OFFERED = re.compile(r"^#([A-Z_]+)=(.*)$", re.MULTILINE)


def test_it_offers_every_setting_once_and_nothing_else() -> None:
    names = [name for name, _ in OFFERED.findall(EXAMPLE.read_text())]
    assert sorted(names) == sorted(name.upper() for name in Settings.model_fields)


def test_as_it_lies_there_it_sets_nothing() -> None:
    assert read_env_file(EXAMPLE) == {}


def test_what_it_offers_is_the_default(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text(OFFERED.sub(r"\1=\2", EXAMPLE.read_text()))
    assert Settings.load(_env_file=taken) == Settings.load(_env_file=None)
