"""How often Python looks for garbage in cycles, for the whole process of a worker.

Nearly all that a record leaves behind is freed at once, when nothing refers to it any more. The
search for cycles goes through what is alive, and finds next to nothing.
"""

from __future__ import annotations

import gc

# Objects that may have come since the last search, more than have gone. Of 100 us of a record that
# no call needs, the search took 17 us with Python's own 700, 8 us with 5,000, and none to speak of
# with this. Garbage in cycles may hold a few megabytes until then.
YOUNG_OBJECTS = 20_000


def search_rarely() -> None:
    """Call it once, when all modules are imported: what is there now is never searched again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
