"""No secret gets into a bundle, in whatever form somebody has written it down."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.operator.support.scrubbing import SET, Scrubber, environment, secrets, shown
from streams.settings import Settings

# Of letters and digits, so that no form of it has to be guessed where it is looked for.
secret = st.text(
    "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", min_size=16, max_size=40
)

VARIABLES = (
    "GENESYS_CLOUD_CLIENT_SECRET",
    "GENESYS_CLOUD_REFRESH_TOKEN",
    "BRIDGE_API_KEY",
    "WORKER_API_KEY",
    "CONSOLE_API_KEY",
    "KAFKA_SASL_PASSWORD",
    "KAFKA_SASL_OAUTH_CLIENT_SECRET",
)

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in base64 behind a user": lambda text: base64.b64encode(f"me:{text}".encode()).decode(),
    "in a URL": lambda text: "".join(f"%{ord(each):02x}" for each in text),
    "in JSON": lambda text: json.dumps({"key": f"Bearer {text}"}),
    "in JSON, escaped": lambda text: "".join(f"\\u{ord(each):04x}" for each in text),
    "in a log": lambda text: f"2026-01-05 [error] refused: key={text}, status=401",
}


def in_the_clear(text: str, given: str) -> bool:
    """Whether a text has this in one of the forms in which a person would look for it."""
    return any(
        form in text
        for form in (given, base64.b64encode(given.encode()).decode().rstrip("="), quote(given))
    )


@pytest.mark.parametrize("name", VARIABLES)
@given(text=secret)
def test_no_form_of_a_setting_that_is_secret_is_left(name: str, text: str) -> None:
    settings = Settings.model_validate({name.lower(): text})
    scrubber = Scrubber(secrets(settings, {}))
    for what, form in FORMS.items():
        written = form(text)
        assert written not in scrubber.text(f"before {written} behind"), what
        assert not in_the_clear(scrubber.text(f"before\n{written}\nbehind"), text), what
    assert shown(settings)[name] == SET
    assert not in_the_clear(json.dumps(shown(settings)), text)


@given(first=secret, second=secret)
def test_each_of_several_keys_is_one(first: str, second: str) -> None:
    settings = Settings.model_validate({"worker_api_key": f"{first}, {second}"})
    said = Scrubber(secrets(settings, {})).text(f"{second} was refused, {first} was not")
    assert first not in said
    assert second not in said


def test_one_that_begins_with_another_leaves_nothing_of_itself() -> None:
    assert Scrubber(iter(["abcdef", "abcdef-ghi"])).text("abcdef-ghi, abcdef") == "***, ***"


@given(text=secret)
def test_what_lies_in_a_file_is_one(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "secret"
    path.write_text(f"{text}\n")
    settings = Settings.model_validate({"kafka_sasl_password_file": str(path)})
    assert text not in Scrubber(secrets(settings, {})).text(f"password {text}")
    assert shown(settings)["KAFKA_SASL_PASSWORD_FILE"] == str(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20{},x-team=calls"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key={}"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example/{}/v1"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector.example/v1/traces?key={}"),
        ("HTTPS_PROXY", "http://me:{}@proxy.example:3128"),
        ("https_proxy", "http://me:{}@proxy.example:3128"),
        ("AWS_SECRET_ACCESS_KEY", "{}"),
        ("AWS_SESSION_TOKEN", "{}"),
    ],
)
@given(text=secret)
def test_what_other_programs_are_told_is_not_shown(name: str, value: str, text: str) -> None:
    variables = {name: value.format(text)}
    assert environment(variables) == {name: SET}
    said = Scrubber(secrets(Settings.model_validate({}), variables)).text(
        f"exporting to {value.format(text)} failed: {text}"
    )
    assert text not in said


def test_what_can_be_no_secret_is_shown_and_what_is_not_ours_is_not_there() -> None:
    variables = {
        "OTEL_SERVICE_NAME": "calls",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "10",
        "AWS_REGION": "eu-west-1",
        "AWS_PROFILE": "prod",
        "HOME": "/root",
        "PASSWORD_OF_ANOTHER": "x",
    }
    assert environment(variables) == {
        "AWS_PROFILE": SET,
        "AWS_REGION": "eu-west-1",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "10",
        "OTEL_SERVICE_NAME": "calls",
    }


def test_who_logs_in_at_a_worker_is_not_shown() -> None:
    settings = Settings.model_validate(
        {"worker_urls": "http://me:pw@a.example:6066,http://b.example:6066"}
    )
    assert shown(settings)["WORKER_URLS"] == "http://a.example:6066,http://b.example:6066"


def test_a_value_is_cleaned_text_by_text() -> None:
    scrubber = Scrubber(iter(["opensesame-opensesame"]))
    assert scrubber.value({"a": ["opensesame-opensesame", 3, None], "b": {"c": True}}) == {
        "a": ["***", 3, None],
        "b": {"c": True},
    }
