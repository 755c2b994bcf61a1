"""The header that says in which consumer generation a worker wrote a record.

Every outcome and every state record has it. Within one partition it only grows; where it does not,
a worker that no longer owned the partition has written. The storm's judge reads it.
"""

from __future__ import annotations

from streams.kafka.message import Headers

GENERATION = "worker.generation"


def generation_headers(generation: int) -> Headers:
    """Headers that tell a record of this generation from one that a later owner wrote."""
    return ((GENERATION, str(generation).encode()),)
