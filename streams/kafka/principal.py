"""Who we are for Kafka: it never says so to a client, and an ACL is given to that name."""

from __future__ import annotations

import base64
import binascii
import json

from streams.core.foreign_text import foreign_text
from streams.errors import KafkaError
from streams.kafka.settings import KafkaSettings
from streams.kafka.tokens import token_source
from streams.tls_files import subject

# A distinguished name or a token's subject; a longer one would hide the rest of the line.
MOST_CHARACTERS = 200


def principal(settings: KafkaSettings) -> str:
    """The principal as Kafka makes it by default of what we connect with. Brokers may have rules of
    their own for it (``ssl.principal.mapping.rules``). May ask for a token, which blocks."""
    if settings.sasl_mechanism == "AWS_MSK_IAM":
        return "the IAM role of this process"
    if settings.has_token:
        return f"User:{_subject_of_token(settings) or settings.sasl_oauth_client_id}"
    if settings.is_sasl:
        return f"User:{settings.sasl_username}"
    if settings.is_over_tls and settings.ssl_certfile is not None:
        return f"User:{foreign_text(subject(settings.ssl_certfile), MOST_CHARACTERS)}"
    return "User:ANONYMOUS"


def _subject_of_token(settings: KafkaSettings) -> str | None:
    """The claim ``sub`` of our token; None when the token is none that can be read. Its signature
    is the broker's to check."""
    try:
        body = token_source(settings).current().value.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return foreign_text(str(claims["sub"]), MOST_CHARACTERS)
    except (KafkaError, IndexError, ValueError, KeyError, TypeError, binascii.Error):
        return None
