"""The kinds of events that the templates are to let through, written from the contract."""

from __future__ import annotations

CONVERSATIONS = [
    f"v2.detail.events.conversation.{{id}}.{name}"
    for name in ("user.end", "customer.end", "acw", "wrapup", "outbound")
]
