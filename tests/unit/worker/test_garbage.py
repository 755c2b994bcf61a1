"""The search for garbage in cycles: rarely, and not in what was there from the start."""

from __future__ import annotations

import subprocess
import sys

AFTER = """
import gc
from streams.worker.garbage import search_rarely
search_rarely()
print(gc.isenabled(), gc.get_threshold(), gc.get_freeze_count() > 1000, len(gc.get_objects()) < 100)
"""


def test_it_is_searched_rarely_and_not_in_the_modules() -> None:
    """In a process of its own: it is set for the whole process."""
    ran = subprocess.run([sys.executable, "-c", AFTER], capture_output=True, text=True, check=True)

    assert ran.stdout == "True (20000, 10, 10) True True\n"
