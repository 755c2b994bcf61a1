"""What is looked for in a sdist and a wheel."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from release.packages import IN_SDIST, IN_WHEEL, faults_of, names_in

WHEEL = [*IN_WHEEL, "genesys_streams-1.dist-info/METADATA"]


def test_whole_packages_have_no_faults() -> None:
    assert faults_of(WHEEL, wheel=True) == []
    assert faults_of(IN_SDIST, wheel=False) == []


@pytest.mark.parametrize("name", IN_WHEEL)
def test_what_is_missing_is_named(name: str) -> None:
    assert faults_of([each for each in WHEEL if each != name], wheel=True) == [f"{name} is missing"]


@pytest.mark.parametrize(
    ("name", "wheel"),
    [
        ("tests/conftest.py", True),
        ("release/notes.py", True),
        ("streams/__pycache__/settings.pyc", True),
        (".env", False),
        (".cache/kafka/kafka.jar", False),
        ("a/.venv/bin/python", False),
    ],
)
def test_what_does_not_belong_there_is_named(name: str, wheel: bool) -> None:
    names = [*(WHEEL if wheel else IN_SDIST), name]
    assert faults_of(names, wheel=wheel) == [f"{name} does not belong there"]


def test_names_are_those_in_the_archive(tmp_path: Path) -> None:
    wheel, sdist = tmp_path / "p-1-py3-none-any.whl", tmp_path / "p-1.tar.gz"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("streams/x.py", "")
    with tarfile.open(sdist, "w:gz") as packed:
        packed.addfile(tarfile.TarInfo("p-1/docs/a.md"), io.BytesIO())
    assert names_in(wheel) == ["streams/x.py"]
    assert names_in(sdist) == ["docs/a.md"]
