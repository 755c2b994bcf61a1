"""The headers of a record in ``events``. Its value is the event, byte for byte as it came."""

from __future__ import annotations

# When the bridge got the event, RFC 3339. The record's own time in Kafka is a little later; and of
# another producer's records it is all there is.
RECEIVED_AT = "bridge.received-at"
