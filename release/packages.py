"""Sdist and wheel: made twice from the same commit, compared, and looked into."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Collection
from pathlib import Path

from release.running import Failed, run

# What whoever installs the wheel needs beside the modules: a demo creates its topics from them.
IN_WHEEL = (
    "streams/cli/main.py",
    "streams/py.typed",
    "streams/declared/topics.yaml",
    "streams/declared/asyncapi.yaml",
    "streams/declared/schemas/outcome.schema.json",
)

# What whoever builds, tests or patches from the sdist needs.
IN_SDIST = (
    "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "SECURITY.md", "constraints.txt",
    "docs/architecture.md", "pyproject.toml", "streams/cli/main.py", "tests/conftest.py",
    "topics/topics.yaml",
)  # fmt: skip

# Files that never belong to a release, by a part of their path: caches, environments, secrets.
FOREIGN = (".cache", ".env", ".git", ".venv", "__pycache__", "data", "dist")


def build_twice(root: Path, work: Path, packages: Path) -> dict[str, str]:
    """Build from two exports of the commit that is checked out, and put one into ``packages``.

    Returns the SHA-256 of each file. Raises Failed when the two are not the same bytes.
    """
    made = [_build(root, work / name) for name in ("first", "second")]
    first, second = ({file.name: _digest(file) for file in sorted(each)} for each in made)
    if first != second:
        raise Failed(f"two builds of one commit differ: {first} and {second}")
    for file in made[0]:
        shutil.copy(file, packages)
    return first


def _build(root: Path, work: Path) -> list[Path]:
    """Only what is committed gets in, whatever else lies in the checkout."""
    source, made = work / "source", work / "made"
    source.mkdir(parents=True)
    run("tar", "-x", "-f", "-", cwd=source, stdin=run("git", "archive", "HEAD", cwd=root))
    # The time of every file in both archives.
    epoch = run("git", "log", "-1", "--format=%ct", cwd=root).decode().strip()
    run(
        *(sys.executable, "-m", "build", "--no-isolation", "--outdir", made, source),
        env={**os.environ, "SOURCE_DATE_EPOCH": epoch},
    )
    return list(made.iterdir())


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def names_in(file: Path) -> list[str]:
    """The files in a wheel or sdist; those of an sdist without the folder that all lie in."""
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            return wheel.namelist()
    with tarfile.open(file) as sdist:
        return [name.partition("/")[2] for name in sdist.getnames()]


def faults_of(names: Collection[str], *, wheel: bool) -> list[str]:
    """What is missing of a package's files, and what should not be among them."""
    faults = [
        f"{name} is missing" for name in (IN_WHEEL if wheel else IN_SDIST) if name not in names
    ]
    faults += [
        f"{name} does not belong there"
        for name in sorted(names)
        if set(Path(name).parts) & set(FOREIGN)
    ]
    if wheel:
        faults += [
            f"{name} does not belong there"
            for name in sorted(names)
            if not name.startswith("streams/") and ".dist-info/" not in name
        ]
    return faults
