"""Kafka's compression codecs: which ones this installation reads, and how. Pure."""

from __future__ import annotations

import gzip
import importlib
import io
import mmap
import struct
from collections.abc import Callable, Mapping
from typing import Any

# Kafka's numbers and names (record batch attributes, bits 0 to 2; a topic's compression.type).
CODECS: Mapping[int, str] = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}

# The library for all codecs but gzip, which Python has itself.
LIBRARY = "cramjam"

# A batch of 1 MiB may decompress to any size, and the broker accepts it. A batch that decompresses
# to more than this is unreadable; otherwise the system could kill the worker for the memory it
# takes. By default Kafka's producers make batches of 16 KiB (batch.size), and a broker accepts
# 1 MiB compressed (message.max.bytes).
LARGEST_DECOMPRESSED = 64 << 20

# Java's snappy library writes this before a stream of blocks; librdkafka writes one bare block
# (test_batches.py; tests/kafka/test_unreadable.py has a broker compress).
_SNAPPY_BLOCKS = b"\x82SNAPPY\x00"
_SNAPPY_BLOCKS_AT = 16
_BLOCK_SIZE = struct.Struct(">i")


class UndecodableError(Exception):
    """The bytes can not be decompressed, or not by this installation. The text says why."""


def is_readable(name: str) -> bool:
    """Whether this installation reads all batches of a topic with this ``compression.type``.

    With ``producer`` each producer chooses the codec, so all codecs must be readable.
    """
    if name == "producer":
        return all(map(is_readable, CODECS.values()))
    return name in {"uncompressed", "gzip"} or (name in CODECS.values() and _library() is not None)


def readable_codecs() -> tuple[str, ...]:
    """The names of the codecs that this installation reads."""
    return tuple(name for name in CODECS.values() if is_readable(name))


def decompress(codec: int, compressed: bytes) -> bytes:
    """Decompress with Kafka's codec of this number. Raises UndecodableError."""
    name = CODECS.get(codec)
    if name is None:
        raise UndecodableError(
            f"it is compressed with codec number {codec}, which is none of Kafka's"
        )
    if not is_readable(name):
        raise UndecodableError(
            f"it is compressed with {name}, which is not installed here: pip install {LIBRARY}"
        )
    try:
        return _READERS[name](compressed)
    except UndecodableError:
        raise
    except Exception as wrong:
        raise UndecodableError(
            f"its {name} data do not decompress, or not to {LARGEST_DECOMPRESSED >> 20} MiB at "
            f"most ({wrong})"
        ) from wrong


def _gzip(compressed: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(compressed)) as file:
        return _fitting(file.read(LARGEST_DECOMPRESSED + 1))


def _snappy(compressed: bytes) -> bytes:
    snappy = _library().snappy
    blocks = [compressed]
    if compressed.startswith(_SNAPPY_BLOCKS):
        blocks, at = [], _SNAPPY_BLOCKS_AT
        while at < len(compressed):
            (size,) = _BLOCK_SIZE.unpack_from(compressed, at)
            at += _BLOCK_SIZE.size
            if not 0 <= size <= len(compressed) - at:
                raise UndecodableError("its snappy data have a block that does not fit in")
            blocks.append(compressed[at : at + size])
            at += size
    if sum(map(snappy.decompress_raw_len, blocks)) > LARGEST_DECOMPRESSED:
        raise _too_large()
    return b"".join(bytes(snappy.decompress_raw(block)) for block in blocks)


def _lz4(compressed: bytes) -> bytes:
    return _into(_library().lz4.decompress_into, compressed)


def _zstd(compressed: bytes) -> bytes:
    return _into(_library().zstd.decompress_into, compressed)


def _into(decompress_into: Callable[[bytes, mmap.mmap], int], compressed: bytes) -> bytes:
    # Room for one byte more than allowed tells a batch that is too large from one that just fits.
    # Pages of the room that stay untouched cost no memory.
    with mmap.mmap(-1, LARGEST_DECOMPRESSED + 1) as room:
        return _fitting(room[: decompress_into(compressed, room)])


def _fitting(content: bytes) -> bytes:
    if len(content) > LARGEST_DECOMPRESSED:
        raise _too_large()
    return content


def _too_large() -> UndecodableError:
    return UndecodableError(f"it decompresses to more than {LARGEST_DECOMPRESSED >> 20} MiB")


def _library() -> Any:
    """The library; None when it is not installed. aiokafka uses the same one."""
    try:
        return importlib.import_module(LIBRARY)
    except ImportError:
        return None


_READERS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": _gzip,
    "snappy": _snappy,
    "lz4": _lz4,
    "zstd": _zstd,
}
