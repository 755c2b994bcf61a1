"""One interaction as Genesys Cloud describes it, whatever the dialect of its API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interaction:
    """One interaction as the API describes it now.

    ``type`` and ``state`` are lower case. ``duration_ms`` is 0 when it is missing, unparsable or
    negative (design, Decide). ``etag`` goes back in ``If-Match``; None when none may. ``ended``:
    the API gives a time at which it ended; one that is completed and has none is not yet all there.
    """

    id: str
    type: str | None
    state: str | None
    disposition_code_id: str | None
    wrap_up_code_id: str | None
    duration_ms: int
    etag: str | None = None
    ended: bool = True
