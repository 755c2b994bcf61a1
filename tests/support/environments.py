"""What a worker's environment may hold, and how settings refuse it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streams.errors import SettingsError

SECRET = "hush-0f7a"

# Variable, a value that must be refused before anything is started.
WRONG = [
    ("GENESYS_API", "participants"),
    ("GENESYS_CLOUD_REFRESH_TOKEN", "a b"),
    ("GENESYS_CLOUD_REFRESH_TOKEN", "a" * 8193),
    ("WRAP_UP_NONE_CODES", "a,,b"),
    ("WRAP_UP_NONE_CODES", "two words"),
    ("WRAP_UP_NONE_CODES", ",".join("a" * 65)),
    ("WRAP_UP_MEDIA", "voice,fax"),
    ("WRAP_UP_MEDIA", "voice;chat"),
    ("WRAP_UP_LEGS", "first"),
    ("WRAP_UP_MARGIN_SECONDS", "-1"),
    ("WRAP_UP_PATIENCE_SECONDS", "86401"),
    ("WRAP_UP_VERIFY_SECONDS", "nan"),
    ("WRAP_UP_CAMPAIGNS", "ask"),
    ("WRAP_UP_METHOD", "conversation"),
    ("WRAP_UP_KEEP_END_TIME", "maybe"),
    ("DURATION_THRESHOLD_MS", "-1"),
    ("DURATION_THRESHOLD_MS", "30s"),
    ("DRY_RUN", "maybe"),
    ("DISPOSITION_CODE_ID", "two words"),
    ("DISPOSITION_CODE_ID", "a" * 129),
    ("DISPOSITION_CODE_ID", "gr\u00fcn"),
    ("DISPOSITION_CODE_ID", "a\x1b[31m"),
    ("GENESYS_CLOUD_CLIENT_ID", "cli\u00e9nt"),
    ("GENESYS_CLOUD_CLIENT_SECRET", "a\x00b".replace("\x00", "\x07")),
    ("GENESYS_CLOUD_CLIENT_SECRET", "\udcff"),
    ("GENESYS_CLOUD_CLIENT_SECRET", "a" * 1025),
    ("GENESYS_CLOUD_SCOPES", 'a "b"'),
    ("GENESYS_CLOUD_SCOPES", "a\nb"),
    ("LAG_WINDOW_SECONDS", "-1"),
    ("LAG_WINDOW_SECONDS", "3600.1"),
    ("LAG_WINDOW_SECONDS", "inf"),
    ("LAG_WINDOW_SECONDS", "nan"),
    ("WORKER_INSTANCE_ID", "a/b"),
    ("WORKER_INSTANCE_ID", ".."),
    ("WORKER_INSTANCE_ID", "a" * 201),
    ("WORKER_HOST", "a b"),
    ("BRIDGE_HOST", "\x1b[31m"),
    ("BRIDGE_API_KEY", "cl\u00e9"),
    ("BRIDGE_KEEP", "some"),
    ("BRIDGE_SSL_CERTFILE", "a\nb"),
    ("BRIDGE_SSL_KEYFILE", "a" * 1025),
    ("WORKER_SSL_CERTFILE", "a\x1b[31m"),
    ("WORKER_SSL_KEYFILE", "a\tb"),
    ("WORKER_SSL_CAFILE", "a\nb"),
    ("CONSOLE_SSL_CERTFILE", "a\nb"),
    ("CONSOLE_SSL_KEYFILE", "a\tb"),
    ("DATA_DIR", "a\nb"),
    ("DATA_DIR", "a" * 1025),
    ("KAFKA_SESSION_TIMEOUT_SECONDS", "1e300"),
    ("KAFKA_SASL_USERNAME", "a\tb"),
    ("KAFKA_BOOTSTRAP_SERVERS", "a..b:9092"),
    ("KAFKA_BOOTSTRAP_SERVERS", f"{'a' * 64}:9092"),
    ("SKIP_RECORDS", "1"),
    ("ALLOW_INSECURE_HTTP", "perhaps"),
    ("FETCH_POLICY", "never"),
    ("KAFKA_BOOTSTRAP_SERVERS", ","),
    ("KAFKA_BOOTSTRAP_SERVERS", "foo:bar"),
    ("KAFKA_BOOTSTRAP_SERVERS", "a:9092;b:9092"),
    ("KAFKA_BOOTSTRAP_SERVERS", "a:9092 b:9092"),
    ("KAFKA_BOOTSTRAP_SERVERS", "a:9092,b:0"),
    ("KAFKA_BOOTSTRAP_SERVERS", "a:65536"),
    ("KAFKA_BOOTSTRAP_SERVERS", "a:"),
    ("KAFKA_BOOTSTRAP_SERVERS", ":9092"),
    ("KAFKA_BOOTSTRAP_SERVERS", "::1:9092"),
    ("KAFKA_BOOTSTRAP_SERVERS", "[a]:9092"),
    ("KAFKA_BOOTSTRAP_SERVERS", "[::1"),
    ("KAFKA_BOOTSTRAP_SERVERS", "PLAINTEXT://a:9092"),
    ("KAFKA_BOOTSTRAP_SERVERS", "kafka/a:9092"),
    ("KAFKA_SECURITY_PROTOCOL", "TLS"),
    ("KAFKA_SASL_MECHANISM", "MD5"),
    ("TOPIC_PREFIX", "two words."),
    ("TOPIC_PREFIX", "a" * 201),
    ("APP_ID", "a/b"),
    ("MAX_IN_FLIGHT", "0"),
    ("MAX_IN_FLIGHT", "1e3"),
    ("STATE_TTL_SECONDS", "0"),
    ("STATE_TTL_SECONDS", "inf"),
    ("GENESYS_REQUESTS_PER_MINUTE", "0"),
    ("API_TIMEOUT_SECONDS", "0"),
    ("API_TIMEOUT_SECONDS", "nan"),
    ("RETRY_MAX_ATTEMPTS", "-1"),
    ("BREAKER_OPEN_SECONDS", "soon"),
    ("BRIDGE_PORT", "65536"),
    ("WORKER_PORT", "-1"),
    ("LOG_FORMAT", "xml"),
    ("LOG_LEVEL", "loud"),
]

GENESYS = {
    "GENESYS_CLOUD_BASE_URL": "https://api.mypurecloud.de",
    "GENESYS_CLOUD_CLIENT_ID": "client",
    "GENESYS_CLOUD_CLIENT_SECRET": SECRET,
}

SASL = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "user",
    "KAFKA_SASL_PASSWORD": SECRET,
}

Environment = Callable[..., None]


def refusal(read: Callable[[], object]) -> str:
    with pytest.raises(SettingsError) as caught:
        read()
    return str(caught.value)
