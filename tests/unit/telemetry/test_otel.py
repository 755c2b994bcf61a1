"""``OTEL_*``: what the SDK would not take is one line; what passes, it takes."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace

from streams.errors import SettingsError
from streams.telemetry import otel
from streams.telemetry.tracing import configure
from tests.support.examples import times

SECRET = "hush-0f7a"

WRONG = [
    ("OTEL_BSP_SCHEDULE_DELAY", "abc"),
    ("OTEL_BSP_SCHEDULE_DELAY", "0"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "-1"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "9" * 30),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"),
    ("OTEL_BSP_EXPORT_TIMEOUT", "1.5"),
    ("OTEL_ATTRIBUTE_COUNT_LIMIT", "-1"),
    ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "many"),
    ("OTEL_TRACES_SAMPLER", "sometimes"),
    ("OTEL_TRACES_SAMPLER_ARG", "2"),
    ("OTEL_TRACES_SAMPLER_ARG", "nan"),
    ("OTEL_SDK_DISABLED", "maybe"),
    ("OTEL_TRACES_EXPORTER", "carrier-pigeon"),
    ("OTEL_TRACES_EXPORTER", "otlp,\x1b[31m"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:port"),
    ("OTEL_EXPORTER_OTLP_HEADERS", SECRET),
    ("OTEL_EXPORTER_OTLP_HEADERS", f"a=1,{SECRET}"),
    ("OTEL_EXPORTER_OTLP_HEADERS", f"authorization={SECRET}%0d%0aa: b"),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a b=1"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "inf"),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "missing.pem"),
    ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "."),
    ("OTEL_RESOURCE_ATTRIBUTES", "team"),
    ("OTEL_RESOURCE_ATTRIBUTES", "a=1,=2"),
    ("OTEL_SERVICE_NAME", "a\nb"),
    ("OTEL_SERVICE_NAME", "\udcff"),
    ("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "moon"),
    ("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "vault"),
    ("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "perhaps"),
    ("OTEL_METRICS_EXPORTER", "carrier-pigeon"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "1.5"),
    ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "collector:4318"),
    ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", SECRET),
    ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
    ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "exponential"),
]


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with mock.patch.dict(os.environ), mock.patch.object(trace, "set_tracer_provider"):
        for name in [name for name in os.environ if name.startswith("OTEL_")]:
            del os.environ[name]
        yield


@pytest.mark.parametrize(("name", "value"), WRONG)
@pytest.mark.parametrize("where", ["environment", ".env"])
def test_a_wrong_value_is_one_line_that_names_its_variable(
    name: str, value: str, where: str
) -> None:
    if where == ".env" and value.isprintable():
        Path(".env").write_text(f"{name}='{value}'\n")
    else:
        os.environ[name] = value
    with pytest.raises(SettingsError) as caught:
        configure("worker")
    named = {problem.partition(":")[0] for problem in caught.value.problems}
    # A batch is held against the queue, whichever of the two is set.
    assert named in ({name}, {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE"})
    assert str(caught.value).isprintable()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", [*otel.PLUG_INS, *otel._CHECKS])
def test_a_blank_one_is_not_set(name: str, caplog: pytest.LogCaptureFixture) -> None:
    os.environ[name] = " "
    configure("worker").shutdown()
    assert caplog.text == ""


@pytest.mark.parametrize("name", otel.PLUG_INS)
def test_what_this_program_brings_itself_is_not_replaced(name: str) -> None:
    os.environ[name] = "nonsense"
    configure("worker").shutdown()
    assert name not in os.environ


@pytest.mark.parametrize(
    ("name", "value"),
    [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_SAMPLER", "always_off")],
)
def test_spans_have_ids_whatever_is_switched_off(name: str, value: str) -> None:
    os.environ[name] = value
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    provider = configure("worker")
    with provider.get_tracer("test").start_as_current_span("process") as span:
        assert span.get_span_context().is_valid
    if name == "OTEL_SDK_DISABLED":
        assert provider._active_span_processor._span_processors == ()


def test_a_comma_at_the_end_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    os.environ["OTEL_RESOURCE_ATTRIBUTES"] = "team=voice,"
    assert configure("worker").resource.attributes["team"] == "voice"
    assert caplog.text == ""


# What an environment can hold: any bytes but NUL, as Python reads them.
VALUES = (
    st.binary(max_size=30).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"")))
    | st.integers().map(str)
    | st.sampled_from([value for _, value in WRONG])
)


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@settings(max_examples=times(3))
@given(
    st.dictionaries(
        st.sampled_from([*otel.PLUG_INS, *otel._CHECKS]), VALUES, min_size=1, max_size=4
    )
)
def test_any_value_is_refused_in_one_line_or_accepted_without_a_word(
    variables: dict[str, str],
) -> None:
    with mock.patch.dict(os.environ, variables):
        handler = Kept()
        logging.getLogger("opentelemetry").addHandler(handler)
        try:
            configure("worker").shutdown()
        except SettingsError as exc:
            assert str(exc).isprintable()
            named = {problem.partition(":")[0] for problem in exc.problems}
            assert named <= {*variables, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"}
        finally:
            logging.getLogger("opentelemetry").removeHandler(handler)
        assert handler.lines == []
