"""``make release``: sdist and wheel of the commit that is checked out, and what whoever installs
them wants to know: bill of materials, licences, known vulnerabilities, checksums, release notes.

Nothing is published. With ``CI=true`` vulnerabilities that were not looked up are a failure.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from release.audit import audit_of
from release.bom import NOT_SEEN, annotate, left_out, licences
from release.notes import notes
from release.packages import build_twice, faults_of, names_in
from release.running import Failed, run
from streams import __version__

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "locks"

# Only what is uploaded lies in `packages`.
PACKAGES, ABOUT = ROOT / "dist" / "packages", ROOT / "dist" / "about"


def main() -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="genesys-streams-release-") as work:
            release(Path(work))
    except Failed as failure:
        sys.exit(f"release: {failure}")


def release(work: Path) -> None:
    """Raises Failed at the first thing that is wrong."""
    if run("git", "status", "--porcelain", cwd=ROOT):
        raise Failed("the checkout has changes that are not committed; a release is of a commit")
    text = notes((ROOT / "CHANGELOG.md").read_text(), __version__)
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    for folder in (PACKAGES, ABOUT):
        folder.mkdir(parents=True)
    (ABOUT / "notes.md").write_text(text)

    digests = build_twice(ROOT, work, PACKAGES)
    say("packages", "two builds of the commit are the same bytes")
    made = sorted(PACKAGES.iterdir())
    run(sys.executable, "-m", "twine", "check", "--strict", *made)
    for file in made:
        if faults := faults_of(names_in(file), wheel=file.suffix == ".whl"):
            raise Failed(f"{file.name}: {'; '.join(faults)}")
    say("contents", "what is needed is in them and nothing else; twine has nothing against them")

    environment = work / "environment"
    venv.create(environment, symlinks=True, with_pip=False)
    (wheel,) = PACKAGES.glob("*.whl")
    install(environment, "--require-hashes", "-r", str(LOCKS / "wheel.txt"))
    install(environment, "--no-deps", "--no-index", str(wheel))
    say("demo", demo(environment / "bin", work / "empty"))
    bill_of(environment, ABOUT / "wheel.cdx.json", LOCKS / "wheel.txt")
    install(environment, "--require-hashes", "-r", str(LOCKS / "image.txt"))
    image = ABOUT / "image-python.cdx.json"
    bill_of(environment, image, LOCKS / "image.txt")
    annotate(image, not_seen=NOT_SEEN)
    listed = licences(json.loads(image.read_text()))
    (ABOUT / "licences.txt").write_text("\n".join(listed) + "\n")
    unstated = sum(line.endswith("not stated") for line in listed)
    say("licences", f"{len(listed)} packages, {unstated} of them state none")
    vulnerabilities()

    for file in sorted(ABOUT.iterdir()):
        digests[file.name] = run("sha256sum", file).split()[0].decode()
    sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    (ABOUT / "SHA256SUMS").write_text(sums)
    print(sums, end="")


def install(environment: Path, *arguments: str) -> None:
    """Into an environment without pip, as the image has it."""
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "--python", environment, "install", *arguments)


def demo(commands: Path, empty: Path) -> str:
    """The last line that the demo shows, run as whoever has nothing but the wheel would run it."""
    empty.mkdir()
    said = run(
        *(commands / "genesys-streams", "demo", "--interactions", "60"),
        cwd=empty,
        env={"PATH": f"{commands}:/usr/bin:/bin", "HOME": str(empty)},
    )
    return f"from the wheel alone: {said.decode().strip().splitlines()[-1].strip()}"


def bill_of(environment: Path, path: Path, lock: Path) -> None:
    """Raises Failed when a package of the lock is not in the bill."""
    run(
        *(sys.executable, "-m", "cyclonedx_py", "environment", environment / "bin" / "python"),
        *("--pyproject", ROOT / "pyproject.toml", "--output-reproducible"),
        *("--output-format", "JSON", "--output-file", path),
    )
    bill = json.loads(path.read_text())
    if missing := left_out(bill, lock.read_text()):
        raise Failed(f"{path.name} does not name {', '.join(missing)} of {lock.name}")
    say("bill of materials", f"{path.name}: {len(bill['components'])} components, all of the lock")


def vulnerabilities() -> None:
    """Raises Failed when one is known, and in CI when they were not looked up."""
    lock = LOCKS / "image.txt"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", "--requirement", lock, "--disable-pip"),
            *("--require-hashes", "--progress-spinner", "off", "--format", "json"),
        ],
        capture_output=True,
        check=False,
    )
    pinned = sum("==" in line for line in lock.read_text().splitlines())
    audit = audit_of(done.stdout, pinned)
    (ABOUT / "vulnerabilities.txt").write_text(audit.in_words() + "\n")
    say("vulnerabilities", audit.in_words())
    if audit.known or (os.environ.get("CI") == "true" and not audit.passed):
        raise Failed("the vulnerabilities of the dependencies, see above")


def say(step: str, result: str) -> None:
    print(f"{step}: {result}", flush=True)


if __name__ == "__main__":
    main()
