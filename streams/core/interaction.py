"""One interaction as Genesys Cloud describes it, the same for every dialect of its API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interaction:
    """One interaction as the API describes it now.

    ``type`` and ``state`` are lower case. ``duration_ms`` is 0 when it is missing, unparsable or
    negative (design, Decide). ``etag`` goes back in ``If-Match``; None when there is none that may.
    ``ended``: the API gives an end time. A completed interaction without one is not yet complete in
    the API.
    """

    id: str
    type: str | None
    state: str | None
    disposition_code_id: str | None
    wrap_up_code_id: str | None
    duration_ms: int
    etag: str | None = None
    ended: bool = True
