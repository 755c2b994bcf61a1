"""Any value of any setting, and any env file: one line, or it works."""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest import mock

import hypothesis
from confluent_kafka.admin import AdminClient
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from streams.errors import SettingsError
from streams.kafka.connection import aiokafka_options, librdkafka_options
from streams.settings import Settings
from streams.telemetry import otel
from streams.worker.start_line import start_line
from tests.support.environments import GENESYS, SECRET, WRONG
from tests.support.examples import times

# What an environment can hold: any bytes but NUL, as Python reads them.
VALUES = (
    st.binary(max_size=40).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"")))
    | st.sampled_from(["true", "0", "1e400", "-1", "http://a", "https://[::1]:1/", "a/1/2", "SSL"])
    | st.sampled_from([text for _, text in WRONG])
)


def checked() -> None:
    """All that a worker and a bridge check before they start; what passes can be used."""
    settings = Settings.load(
        Settings.genesys,
        Settings.disposition_code,
        Settings.advertised_url,
        Settings.bridge_api_keys,
        Settings.worker_api_keys,
        otel.prepare,
    )
    assert all(aiokafka_options(settings.kafka).values())
    AdminClient(librdkafka_options(settings.kafka))
    genesys = settings.genesys()
    f"{genesys.client_id}{genesys.client_secret}".encode("ascii")
    for url in (genesys.base_url, genesys.login_url, settings.advertised_url()):
        assert URL(url) / "api"
    json.dumps(start_line(settings, port=1)).encode("ascii")


@hypothesis.settings(max_examples=times(3))
@given(
    st.dictionaries(
        st.sampled_from([field.upper() for field in Settings.model_fields]), VALUES, max_size=4
    )
)
def test_any_value_of_any_setting_is_one_line_or_works(variables: dict[str, str]) -> None:
    base = GENESYS | {"DISPOSITION_CODE_ID": "code-1"}
    with mock.patch.dict(os.environ, base | variables):
        try:
            checked()
        except SettingsError as exc:
            assert str(exc).isprintable()
            assert all(problem.partition(":")[0].isupper() for problem in exc.problems)
            assert SECRET not in str(exc)


LINES = st.lists(
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["DRY_RUN", "export APP_ID", "OTEL_BSP_SCHEDULE_DELAY", "", "#"]),
        st.sampled_from(["=", " = ", ":", ""]),
        st.sampled_from(["true", '"true', "'true'", "${APP_ID}", "\0", "5"]) | st.text(max_size=5),
        st.sampled_from(["\n", "\r\n", " # why\n", '"\n']),
    ).map(lambda line: line.encode("utf-8", "surrogatepass")),
    max_size=6,
).map(b"".join)


@hypothesis.settings(max_examples=times(3))
@given(st.binary(max_size=60) | LINES)
def test_any_env_file_is_one_line_or_works(content: bytes) -> None:
    Path(".env").write_bytes(content)
    with mock.patch.dict(os.environ, GENESYS | {"DISPOSITION_CODE_ID": "code-1"}):
        try:
            checked()
        except SettingsError as exc:
            assert str(exc).isprintable()
