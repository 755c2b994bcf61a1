"""The version of what the table keeps of an interaction, or of a conversation.

Each record says it (``schemaVersion``). A worker may meet the records of a newer release after a
downgrade, or while both releases share the group.
"""

from __future__ import annotations

import msgspec

# Goes up when a release changes the records so that the one before it would read them wrongly or
# not at all. What has no version is of 0.1.0, and as version 1.
STATE_VERSION = 1


class _Versioned(msgspec.Struct, rename="camel"):
    schema_version: int = STATE_VERSION


_decode = msgspec.json.Decoder(_Versioned).decode


def newer_version(record: bytes) -> int | None:
    """The version that an encoded record says, if it is newer than this release knows."""
    try:
        version = _decode(record).schema_version
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return version if version > STATE_VERSION else None
