"""What can be said of the settings and of this machine without asking anybody. Pure, but for a look
at the disk, which is handed in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from streams.addresses import is_loopback
from streams.errors import SettingsError
from streams.genesys.regions import region_of
from streams.genesys.settings import GenesysSettings
from streams.operator.doctor.check import Check, failed, ok, warning
from streams.queue_region import queue_region
from streams.settings import Settings

# Bytes. A worker's stores have some kilobytes for each conversation of the last day; RocksDB needs
# room beside them to write them anew. Below the second number it can not go on for long.
LITTLE_SPACE = 2 * 1024**3
NO_SPACE = 256 * 1024**2

# Scopes of the other dialect. Genesys Cloud knows none of them.
_FOREIGN_SCOPE = "interaction:"


def check_settings(settings: Settings) -> list[Check]:
    """What the worker and the bridges would say of their settings at their start."""
    return [*_of_worker(settings), *_of_listening(settings)]


def _of_worker(settings: Settings) -> Iterator[Check]:
    needed: tuple[Callable[[], object], ...] = (settings.connection, settings.disposition_code)
    if settings.genesys_api == "conversations":
        needed += (lambda: settings.wrap_up_policy(rehearsal=True),)
    problems = [problem for each in needed for problem in _problems(each)]
    yield from (failed("settings", problem) for problem in problems)
    if problems:
        return
    code = settings.disposition_code_id
    told = f"the code is {code}" if code is not None else "there is no code"
    yield ok("settings", f"GENESYS_API is {settings.genesys_api}, {told}")
    if settings.dry_run:
        yield warning(
            "dry run",
            "DRY_RUN is set: all is decided and no code is ever set",
            "unset it once the outcomes are as they should be",
        )
    if settings.genesys_api == "conversations":
        yield from _of_conversations(settings)


def _of_conversations(settings: Settings) -> Iterator[Check]:
    if settings.wrap_up_method == "call" and settings.refresh_token() is None:
        yield failed(
            "method",
            "WRAP_UP_METHOD=call needs a user's token, and client credentials have no user",
            "set WRAP_UP_METHOD=participant, or GENESYS_CLOUD_REFRESH_TOKEN",
        )
    if _FOREIGN_SCOPE in (settings.genesys_cloud_scopes or ""):
        yield warning(
            "scopes",
            "GENESYS_CLOUD_SCOPES has scopes that Genesys Cloud does not know",
            "unset it, unless the org enforces scopes: then set conversations",
        )


def _of_listening(settings: Settings) -> Iterator[Check]:
    needed: tuple[tuple[str, Callable[[], object]], ...] = (
        ("bridge", settings.bridge_api_keys),
        ("bridge", settings.bridge_tls),
        ("look-up", settings.worker_api_keys),
        ("look-up", settings.worker_tls),
        ("look-up", settings.peers_tls),
        ("console", settings.console_api_keys),
        ("console", settings.console_tls),
    )
    for name, each in needed:
        yield from (failed(name, problem) for problem in _problems(each))


def _problems(needed: Callable[[], object]) -> tuple[str, ...]:
    try:
        needed()
    except SettingsError as error:
        return error.problems
    return ()


def check_regions(settings: Settings, genesys: GenesysSettings) -> list[Check]:
    """Where the org is, and where the queue of its events is: two things, often not the same."""
    api, login = (urlsplit(url).hostname or "" for url in (genesys.base_url, genesys.login_url))
    of_api, of_login = region_of(api, "api"), region_of(login, "login")
    if of_api is None:
        place = "this machine" if is_loopback(api) else "in no region of Genesys Cloud known here"
        return [
            warning(
                "region",
                f"{api} is {place}",
                "set GENESYS_CLOUD_REGION, unless this is a simulator or a proxy of your own",
            )
        ]
    if of_login != of_api:
        return [
            failed(
                "region",
                f"{api} is in {of_api}, and {login} is not",
                "set GENESYS_CLOUD_REGION in place of GENESYS_CLOUD_BASE_URL and "
                "GENESYS_CLOUD_LOGIN_URL",
            )
        ]
    found = f"the org is in {of_api} ({api})"
    queue = settings.bridge_queue_url
    if queue is not None:
        bus = queue_region(queue, settings.aws_region) or "a region that its URL does not say"
        found += f"; its events' queue is in {bus}, which is chosen apart from the org's region"
    return [ok("region", found)]


def check_disk(directory: Path, free: Callable[[Path], int] | None = None) -> Check:
    """Whether a worker could keep its stores there. ``free``: bytes free where a path is."""
    path = directory.absolute()
    there = next(each for each in (path, *path.parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return failed(
            "disk", f"{there} can not be written to", "let this user write there, or set DATA_DIR"
        )
    space = (free or _free)(there)
    found = f"{space / 1024**3:,.1f} GiB free for {path}"
    if space < NO_SPACE:
        return failed("disk", found, "free some, or set DATA_DIR to a larger disk")
    if space < LITTLE_SPACE:
        return warning("disk", found, "watch it: a worker whose disk is full ends")
    return ok("disk", found)


def _free(path: Path) -> int:
    return shutil.disk_usage(path).free
