from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bridges import ROOT, Program, Start


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts ``bridge sqs`` with these variables and no others."""
    monkeypatch.chdir(tmp_path)
    programs = []

    def begin(*arguments: str, **settings: str) -> Program:
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "BRIDGE_PORT": "0",
            # Neither files nor roles of this machine.
            "HOME": str(tmp_path),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        programs.append(Program("-m", "streams", "bridge", "sqs", *arguments, env=env | settings))
        return programs[-1]

    yield begin
    for program in programs:
        program.end()
