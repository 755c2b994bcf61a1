"""``.env``: what is read from it, and what is refused because a doubt is left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.environment import MAX_BYTES, merged, read_env_file
from streams.errors import SettingsError

SECRET = "hush-0f7a"


@pytest.fixture(autouse=True)
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where ``.env`` is to be."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOST_OF_THE_TEST", "example.org")
    return tmp_path / ".env"


def refused(content: bytes | str) -> str:
    Path(".env").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError) as caught:
        read_env_file()
    message = str(caught.value)
    assert message.isprintable()
    assert SECRET not in message
    return message


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("X=1", "1"),
        ("X = 1 ", "1"),
        ("\tX=1", "1"),
        ("export X=1", "1"),
        ("export  X = 1", "1"),
        ("X=", ""),
        ("X= # nothing", ""),
        ("X=a b # why", "a b"),
        ("X=a#b", "a#b"),
        ("X=#b", "#b"),
        ("X=a=b=c==", "a=b=c=="),
        ("X='a # b'", "a # b"),
        ('X="a # b" # why', "a # b"),
        ('X="a"#why', "a"),
        ('X=""', ""),
        (r'X="say \"a\" \\ \n$5"', 'say "a" \\ \n$5'),
        (r"X='it\'s \n'", r"it's \n"),
        ("X=it's", "it's"),
        ('X=a"b"c', 'a"b"c'),
        ("X=${HOST_OF_THE_TEST}/a", "example.org/a"),
        ('X="${HOST_OF_THE_TEST}/a"', "example.org/a"),
        ("X='${HOST_OF_THE_TEST}'", "${HOST_OF_THE_TEST}"),
        ("X=${NOBODY_HAS_SET:-b}", "b"),
        ("X=$HOST_OF_THE_TEST", "$HOST_OF_THE_TEST"),
        ("X=pa$$w0rd", "pa$$w0rd"),
        ("X=\u00e9", "\u00e9"),
    ],
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r"])
@pytest.mark.parametrize("before", ["", "\ufeff", "\n# why\n\n"])
def test_a_line_is_read_as_it_is_meant(line: str, value: str, end: str, before: str) -> None:
    Path(".env").write_bytes(f"{before}{line}{end}".encode())
    assert read_env_file() == {"X": value}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('DRY_RUN="true', "quotation mark that is not closed"),
        ("DRY_RUN='true", "quotation mark that is not closed"),
        ("DRY_RUN=\"true'", "quotation mark that is not closed"),
        (r'DRY_RUN="true\"', "quotation mark that is not closed"),
        ('export DRY_RUN="true', "quotation mark that is not closed"),
        ('DRY_RUN="true" x', "goes on behind"),
        ('DRY_RUN="true"x"', "goes on behind"),
        ('DRY_RUN=true"', "was not opened"),
        ("DRY_RUN=true' # why", "was not opened"),
        ("DRY_RUN", "is not NAME=VALUE"),
        ("export DRY_RUN", "is not NAME=VALUE"),
        ("DRY_RUN: true", "is not NAME=VALUE"),
        ("DRY_RUN true", "is not NAME=VALUE"),
        ("DRY_RUN=tr\0ue", "NUL"),
        ("DRY_RUN=${NOBODY_HAS_SET}", "refers with ${…} to a variable that is not set"),
    ],
)
def test_a_line_that_leaves_a_doubt_is_named_by_file_line_and_variable(line: str, why: str) -> None:
    message = refused(f"APP_ID=blue\n\n{line}\nKEY={SECRET}\n")
    assert message.startswith(".env: line 3 (DRY_RUN): ")
    assert why in message


def test_an_open_quote_does_not_swallow_the_lines_up_to_the_next_one() -> None:
    message = refused(f'KEY="{SECRET}\nDRY_RUN=true\nNAME="x"\n')
    assert message == ".env: line 1 (KEY): has a quotation mark that is not closed on its line"


@pytest.mark.parametrize(
    "line",
    [
        f"{SECRET} and more", f"= {SECRET}", f'"{SECRET}"', "\x1b[31m=",
        "eyJhbGciOi", "0f7a99", "a1b2c3d4",
    ],
)  # fmt: skip
def test_a_line_without_a_name_is_named_by_its_number(line: str) -> None:
    assert refused(f"A=1\r\n{line}") == ".env: line 2: is not NAME=VALUE"


@pytest.mark.parametrize("again", ["X=2", "x=1", "export X='1'"])
def test_a_name_that_is_set_twice_is_refused(again: str) -> None:
    assert "is set on line 1 already" in refused(f"X=1\n\n{again}\n")


def test_several_are_named_at_once_and_not_more_than_fit() -> None:
    assert refused('A="\nB="\n').count(" | ") == 1
    assert refused('A="\n' * 100).endswith("95 more lines that can not be read")


def test_no_file_sets_nothing() -> None:
    assert read_env_file() == {}


@pytest.mark.parametrize(
    ("content", "line"), [(b"A=1\nX=\xff\n", 2), ("X=1".encode("utf-16"), 1), (b"\xfe", 1)]
)
def test_what_is_not_utf_8_is_named_by_its_line(content: bytes, line: int) -> None:
    assert refused(content).startswith(f".env: line {line}: not UTF-8 text")


def test_a_directory_is_no_file(env_file: Path) -> None:
    env_file.mkdir()
    with pytest.raises(SettingsError, match=r"^\.env: is no file"):
        read_env_file()


def test_a_pipe_is_not_waited_for(env_file: Path) -> None:
    os.mkfifo(env_file)
    with pytest.raises(SettingsError, match=r"^\.env: is no file"):
        read_env_file()


@pytest.mark.parametrize("target", [".env", "a/b"])
def test_a_link_that_leads_nowhere(env_file: Path, target: str) -> None:
    env_file.symlink_to(target)
    if target == ".env":
        with pytest.raises(SettingsError, match=r"^\.env: cannot be read: "):
            read_env_file()
    else:
        assert read_env_file() == {}


def test_a_file_that_may_not_be_read(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env_file.write_text("X=1")

    def refuse(self: Path, mode: str) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SettingsError, match=r"^\.env: cannot be read: Permission denied"):
        read_env_file()


def test_a_file_that_is_too_large_is_not_read_into_memory(env_file: Path) -> None:
    env_file.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(SettingsError, match="larger than 1024 KiB"):
        read_env_file()


@given(st.binary() | st.text("AX=\"'\\ #\n\r${}:-\0\ufeff\x1b\u2028\u00e9").map(str.encode))
def test_any_bytes_are_read_or_refused_in_one_line(content: bytes) -> None:
    Path(".env").write_bytes(content)
    try:
        values = read_env_file()
    except SettingsError as exc:
        assert str(exc).isprintable()
        assert all(problem.startswith(".env: ") for problem in exc.problems)
    else:
        assert not any("\0" in name + value for name, value in values.items())


def test_the_environment_wins_and_what_is_blank_is_not_set() -> None:
    environment = {"A": "1", "b": "2", "B": "3", "C": " "}
    assert merged(environment, {"a": "9", "C": "4", "D": ""}) == {"a": "1", "b": "3", "c": "4"}
