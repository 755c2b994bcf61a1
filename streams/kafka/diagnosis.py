"""Why no connection to Kafka comes about, in one line that says what to do.

aiokafka logs the reason and tells its caller only that no broker answers; librdkafka does not say
what is wrong with a certificate. So a connection of our own is tried, and its failure is told.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from aiokafka import errors
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.protocol.metadata import MetadataRequest

from streams.core.foreign_text import foreign_text
from streams.errors import KafkaError
from streams.kafka.connection import aiokafka_options
from streams.kafka.settings import KafkaSettings
from streams.tls_files import expired_at

# For one broker. What is locked refuses at once; what is away needs no longer look.
ANSWER_SECONDS = 2.0

MOST_CHARACTERS = 300

# OpenSSL's numbers for why a certificate is not accepted (x509_vfy.h).
_NOT_YET_VALID, _EXPIRED, _OTHER_HOST, _OTHER_ADDRESS = 9, 10, 62, 64
_UNKNOWN_CA = {2, 18, 19, 20, 21}


def look_why_not(settings: KafkaSettings) -> str | None:
    """``why_not`` for those that block. Runs in a thread of its own, for the caller's may have an
    event loop already."""
    with ThreadPoolExecutor(1) as own:
        return own.submit(asyncio.run, why_not(settings)).result()


async def why_not(settings: KafkaSettings) -> str | None:
    """Try each bootstrap server. The first reason that no waiting mends, or else the first at all;
    None when one of them lets us in."""
    try:
        options = aiokafka_options(settings)
    except KafkaError as exc:
        return str(exc)
    servers = options.pop("bootstrap_servers")
    away: str | None = None
    for host, port, _ in collect_hosts(servers, randomize=False):
        server = f"{host}:{port}"
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                connection = await create_conn(host, port, **options)
        except (errors.KafkaError, OSError, TimeoutError, ValueError) as failure:
            if (locked := _locked(settings, server, failure)) is not None:
                return locked
            away = away or _away(server, failure)
            continue
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await connection.send(MetadataRequest([]))
            # A broker sends "invalid token" as a challenge, which aiokafka takes for its consent;
            # our next request it answers with nothing.
            if settings.has_token and not answer.brokers:
                return f"{server} does not accept our token; check {_credentials(settings)}"
            return None
        except (errors.KafkaError, TimeoutError) as failure:
            away = away or _away(server, failure)
        finally:
            connection.close()
    return away


def _away(server: str, failure: BaseException) -> str:
    said = "no answer" if isinstance(failure, TimeoutError) else str(failure) or repr(failure)
    if isinstance(failure, ConnectionRefusedError):
        said = "Connection refused"
    return (
        f"{server}: {foreign_text(said, MOST_CHARACTERS)}; check that Kafka is up, "
        "KAFKA_BOOTSTRAP_SERVERS, and that KAFKA_SECURITY_PROTOCOL is that of this port"
    )


def _locked(settings: KafkaSettings, server: str, failure: BaseException) -> str | None:
    """What keeps us out until somebody mends it; None when the broker is just not there."""
    for error in _causes(failure):
        if isinstance(error, KafkaError):
            return str(error)  # of the token's endpoint
        if isinstance(error, ssl.SSLCertVerificationError):
            return _their_certificate(settings, server, error)
        if isinstance(error, ssl.SSLError):
            return _tls(settings, server, error)
        if isinstance(error, errors.UnsupportedSaslMechanismError):
            return (
                f"{server} has no SASL mechanism {_mechanism(settings)}: "
                f"{foreign_text(str(error), MOST_CHARACTERS)}; set KAFKA_SASL_MECHANISM to one "
                "that it has"
            )
        if isinstance(error, errors.IllegalSaslStateError):
            return (
                f"{server} asks for no SASL; set KAFKA_SECURITY_PROTOCOL to "
                f"{settings.security_protocol.removeprefix('SASL_')}, or name the port with SASL"
            )
        if isinstance(error, errors.AuthenticationFailedError | errors.SaslAuthenticationFailed):
            said = ", ".join(str(part) for part in error.args if part)
            return (
                f"{server} does not accept our credentials "
                f"({foreign_text(said, MOST_CHARACTERS)}); check {_credentials(settings)}"
            )
    return None


def _causes(failure: BaseException) -> Iterator[BaseException]:
    error: BaseException | None = failure
    while error is not None:
        yield error
        error = error.__cause__


def _mechanism(settings: KafkaSettings) -> str:
    return "OAUTHBEARER" if settings.has_token else str(settings.sasl_mechanism)


def _credentials(settings: KafkaSettings) -> str:
    match settings.sasl_mechanism:
        case "OAUTHBEARER":
            return "what the token says (its audience, issuer and scope), KAFKA_SASL_OAUTH_*"
        case "AWS_MSK_IAM":
            return "the policy of this process' IAM role, and AWS_REGION"
    secret = settings.sasl_password
    in_file = secret is not None and secret.file is not None
    return f"KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD{'_FILE' if in_file else ''}"


def _their_certificate(
    settings: KafkaSettings, server: str, error: ssl.SSLCertVerificationError
) -> str:
    text = error.verify_message
    match error.verify_code:
        case code if code == _EXPIRED:
            return f"the certificate of {server} has expired; renew it on the broker"
        case code if code == _NOT_YET_VALID:
            return (
                f"the certificate of {server} is not valid yet; check this machine's clock and the "
                "certificate"
            )
        case code if code in {_OTHER_HOST, _OTHER_ADDRESS}:
            return (
                f"the certificate of {server} is of another host ({text}); write a name that it "
                "has into KAFKA_BOOTSTRAP_SERVERS and the broker's advertised.listeners, or give "
                "the broker a certificate for this one"
            )
        case code if code in _UNKNOWN_CA:
            known = settings.ssl_cafile or "this system"
            return (
                f"the certificate of {server} is of a CA that {known} does not know ({text}); put "
                "the CA's certificate into the file of KAFKA_SSL_CAFILE"
            )
    return f"the certificate of {server} is not accepted: {text}; renew it on the broker"


def _tls(settings: KafkaSettings, server: str, error: ssl.SSLError) -> str:
    reason = error.reason or str(error)
    if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER" in reason:
        return (
            f"{server} speaks no TLS; set KAFKA_SECURITY_PROTOCOL to the one of this port, or name "
            "the port with TLS"
        )
    if "ALERT" not in reason:
        return f"no TLS with {server}: {foreign_text(reason, MOST_CHARACTERS)}"
    if settings.ssl_certfile is None:
        return (
            f"{server} asks for a client certificate, and none is set ({reason}); set "
            "KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE"
        )
    ended = expired_at(settings.ssl_certfile)
    if ended is not None:
        return (
            f"{server} does not accept our certificate: it expired at {ended:%Y-%m-%d %H:%M} UTC; "
            f"renew {settings.ssl_certfile}"
        )
    return (
        f"{server} does not accept our certificate in {settings.ssl_certfile} ({reason}); it must "
        "be of a CA that the broker's truststore has"
    )
