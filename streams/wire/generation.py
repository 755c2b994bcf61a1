"""The header that says in which consumer generation a worker wrote a record.

On every outcome and state record. In one partition it only grows; where it does not, a worker has
written that no longer owned the partition. Read by whoever judges that from outside.
"""

from __future__ import annotations

from streams.kafka.message import Headers

GENERATION = "worker.generation"


def generation_headers(generation: int) -> Headers:
    """What tells a record of this generation from one that a later owner wrote."""
    return ((GENERATION, str(generation).encode()),)
