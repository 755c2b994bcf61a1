"""The only module that reads ``.env``. A line that can not be read is refused.

If such a line were skipped with a warning it could be the one that sets DRY_RUN, and the worker
would send what it was told not to send. So every doubtful line is refused with one line of error: a
quotation mark that is not closed, a name without a value, a name that is set twice. No value is
ever quoted, because it may be a secret.
"""

from __future__ import annotations

import os
import re
import stat
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path

from streams.errors import SettingsError

ENV_FILE = Path(".env")

# A settings file is a few kilobytes. The limit keeps any large file that is called .env out of
# memory.
MAX_BYTES = 1024 * 1024

# How many lines with problems are named, so that the error stays short for a file that is not a
# .env file at all.
MOST_PROBLEMS = 5

_LINE_END = re.compile(r"\r\n|\n|\r")
_ASSIGNMENT = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)\s*=(?P<rest>.*)")
# The name that is shown for a line that can not be read. A line of a key or token mostly mixes
# upper and lower case, so it does not pass for a name.
_NAME = re.compile(
    r"(?:export\s+)?(?P<name>[A-Z][A-Z0-9_]{0,63}(?=[\s=:]|$)|[a-z][a-z0-9_]{0,63}(?=\s*=))"
)
_SINGLE = re.compile(r"'(?P<value>(?:\\.|[^'\\])*)'(?P<rest>.*)")
_DOUBLE = re.compile(r'"(?P<value>(?:\\.|[^"\\])*)"(?P<rest>.*)')
_SINGLE_ESCAPE = re.compile(r"\\([\\'])")
_DOUBLE_ESCAPE = re.compile(r"\\([\\'\"abfnrtv$])")
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_COMMENT = re.compile(r"\s+#.*")
_REFERENCE = re.compile(r"(?<!\\)\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


class _NotReadable(ValueError):
    """Why a line can not be read."""


def read_env_file(path: Path | str = ENV_FILE) -> dict[str, str]:
    """The variables of a ``.env`` file; empty when there is no file.

    Raises SettingsError that names the file, the lines and, where they can be read, the variables.
    """
    path = Path(path)
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    problems: list[str] = []
    for number, line in enumerate(_LINE_END.split(_text(path)), 1):
        try:
            if (assignment := _assignment(line, ChainMap(os.environ, values))) is None:
                continue
            name, value = assignment
            if (first := lines.setdefault(name.upper(), number)) != number:
                raise _NotReadable(f"is set on line {first} already; keep one of the two")
            values[name] = value
        except _NotReadable as reason:
            problems.append(f"{path}: line {number}{_named(line)}: {reason}")
    if len(problems) > MOST_PROBLEMS:
        left_out = len(problems) - MOST_PROBLEMS
        problems[MOST_PROBLEMS:] = [f"{path}: {left_out} more lines that can not be read"]
    if problems:
        raise SettingsError(*problems)
    return values


def merged(environment: Mapping[str, str], behind: Mapping[str, str]) -> dict[str, str]:
    """The variables of both mappings, their names in lower case. ``environment`` wins over
    ``behind``, a name in capitals wins over one that is not, and a blank value counts as not set.
    """
    return {
        name.lower(): value
        for source in (behind, environment)
        for name, value in sorted(source.items(), key=lambda item: item[0].isupper())
        if value.strip()
    }


def _text(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise SettingsError(
                f"{path}: is no file, so no setting can be read from it; remove it, or put a file "
                "in its place"
            )
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise SettingsError(
            f"{path}: cannot be read: {exc.strerror}; let this user read it, or remove it"
        ) from None
    if len(content) > MAX_BYTES:
        raise SettingsError(f"{path}: larger than {MAX_BYTES // 1024} KiB, so no file of settings")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = len(re.findall(rb"\r\n|\n|\r", content[: exc.start])) + 1
        raise SettingsError(
            f"{path}: line {line}: not UTF-8 text, so no setting can be read from the file; save "
            "it as UTF-8"
        ) from None


def _assignment(line: str, known: Mapping[str, str]) -> tuple[str, str] | None:
    """Name and value; None for a blank line or a comment. Raises _NotReadable."""
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    if "\0" in line:
        raise _NotReadable("has a NUL character in it")
    match = _ASSIGNMENT.fullmatch(line)
    if match is None:
        raise _NotReadable("is not NAME=VALUE")
    return match["name"], _value(match["rest"], known)


def _value(text: str, known: Mapping[str, str]) -> str:
    if _COMMENT.fullmatch(text):
        return ""
    text = text.strip()
    if text.startswith("'"):
        quoted = _closed(_SINGLE.fullmatch(text))
        return _SINGLE_ESCAPE.sub(r"\1", quoted)
    if text.startswith('"'):
        quoted = _filled_in(_closed(_DOUBLE.fullmatch(text)), known)
        return _DOUBLE_ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), quoted)
    bare = _COMMENT.sub("", text)
    if bare.endswith(("'", '"')):
        raise _NotReadable(
            "ends with a quotation mark that was not opened; put the whole value in quotation marks"
        )
    return _filled_in(bare, known)


def _closed(match: re.Match[str] | None) -> str:
    if match is None:
        raise _NotReadable("has a quotation mark that is not closed on its line")
    rest = match["rest"].strip()
    if rest and not rest.startswith("#"):
        raise _NotReadable("goes on behind the closing quotation mark")
    return match["value"]


def _filled_in(text: str, known: Mapping[str, str]) -> str:
    """The text with ``${NAME}`` and ``${NAME:-default}`` replaced. Raises _NotReadable."""

    def replacement(reference: re.Match[str]) -> str:
        value = known.get(reference["name"]) or reference["default"]
        if value is None:
            raise _NotReadable(
                "refers with ${…} to a variable that is not set; a value that has ${ in it stands "
                "in single quotation marks"
            )
        return value

    return _REFERENCE.sub(replacement, text)


def _named(line: str) -> str:
    match = _NAME.match(line.strip())
    return f" ({match['name']})" if match else ""
