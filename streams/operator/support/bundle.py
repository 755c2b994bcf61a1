"""The file: reserved before anything is asked, and written whole or not at all."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from streams.errors import SupportError

# Whoever may read it has ids of calls, hosts and the log.
OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the bundle. ``missing``: why it could not be had whole, or None."""

    name: str
    content: bytes
    missing: str | None = None


@contextmanager
def reserved(path: Path) -> Iterator[io.BufferedWriter]:
    """The new file, open. It is removed when the block fails. Raises SupportError when it is there
    already, or can not be made."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError:
        raise SupportError(
            f"{path} is there already, and nothing was asked; name another file with --out, or "
            "remove it"
        ) from None
    except OSError as failure:
        raise SupportError(
            f"{path} can not be written: {failure.strerror}; name another file with --out"
        ) from failure
    try:
        with os.fdopen(number, "wb") as opened:
            yield opened
    except BaseException as failure:
        with suppress(FileNotFoundError):
            path.unlink()
        if isinstance(failure, OSError):
            raise SupportError(
                f"{path} can not be written: {failure.strerror}; free the disk, or name another "
                "file with --out"
            ) from failure
        raise


def pack(parts: Sequence[Part], made_at: float) -> bytes:
    """A tar archive, zipped: the parts below one folder. ``made_at``: epoch seconds."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for part in parts:
            entry = tarfile.TarInfo(f"genesys-streams-support/{part.name}")
            entry.size, entry.mtime, entry.mode = len(part.content), int(made_at), OWNER_ONLY
            archive.addfile(entry, io.BytesIO(part.content))
    return packed.getvalue()
