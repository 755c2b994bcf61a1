"""Where records wait that the memory has no room for."""

from __future__ import annotations

from pathlib import Path

from streams.worker.lanes.spill import Spill

# None waits on the disk, as with the dialect `interactions`: nothing is made there.
NO_SPILL = Spill(Path("/nonexistent"), most=0)


def nothing_in(directory: Path) -> bool:
    """Whether nothing has been left there."""
    return not any(directory.iterdir())
