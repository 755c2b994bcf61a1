"""Checks ``OTEL_*`` before the SDK sees it: a value that the SDK would not accept is a wrong
setting.

Without this check the SDK ends the program over some values, prints a traceback and goes on over
others, and its warnings quote text that may be a secret. This module imports nothing of the SDK,
because the SDK reads some of its variables as soon as it is imported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from streams.addresses import is_host
from streams.environment import read_env_file
from streams.errors import SettingsError

# Parts of OpenTelemetry that this program provides itself. Another context would mix up the traces
# of its coroutines; another provider would leave outcomes without a trace id.
PLUG_INS = (
    "OTEL_PYTHON_CONTEXT",
    "OTEL_PYTHON_TRACER_PROVIDER",
    "OTEL_PYTHON_METER_PROVIDER",
    "OTEL_PYTHON_LOGGER_PROVIDER",
    "OTEL_PROPAGATORS",
)

# What leaves the process.
Signal = Literal["TRACES", "METRICS"]
SIGNALS: tuple[Signal, ...] = ("TRACES", "METRICS")

# Of metrics, `prometheus` asks for the page that is there anyway.
EXPORTERS: dict[Signal, tuple[str, ...]] = {
    "TRACES": ("otlp", "console", "none"),
    "METRICS": ("otlp", "console", "prometheus", "none"),
}
NOTHING_TO_BUILD = ("", "none", "prometheus")

# Upper limits: a queue is allocated for the spans, and a longer wait does not fit into a thread's
# time-out.
_MOST_SPANS = 1_000_000
_MOST_MS = 86_400_000
_MOST_SECONDS = 1_000_000

# Each export reads all metrics on the worker's loop, which takes about a millisecond.
_LEAST_INTERVAL_MS = 100

_KEY = r"[!#-'*+.0-9A-Z^-z|~-]+"
_HEADER = re.compile(rf"\s*(?P<name>{_KEY})\s*=(?P<value>[ !#-+\--:<-\[\]-~]*)")

# What the SDK takes for OTEL_BSP_MAX_EXPORT_BATCH_SIZE and OTEL_BSP_MAX_QUEUE_SIZE where they are
# not set. It raises when the first is above the second.
_USUAL_BATCH, _USUAL_QUEUE = 512, 2048

# No collector's URL is longer; a longer text is something else that was pasted there.
_LONGEST_URL = 1000

# Characters of a wrong name that an error quotes: enough to find it by.
_SHOWN = 40

Problem = str | None


def drop_plug_ins(environment: MutableMapping[str, str]) -> None:
    """Removes the variables that would replace parts that this program provides itself."""
    for name in PLUG_INS:
        environment.pop(name, None)


def prepare(_: object = None) -> None:
    """Make the ``OTEL_*`` variables of the process fit for the SDK, with ``.env`` behind them.

    Raises SettingsError with everything that is wrong. Imports nothing of the SDK.
    """
    for name, value in read_env_file().items():
        if name.startswith("OTEL_") and not os.environ.get(name, "").strip():
            os.environ[name] = value
    drop_plug_ins(os.environ)
    # The SDK reads a blank value as a number, and fails.
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        if not os.environ[name].strip():
            del os.environ[name]
    if problems := list(wrong(os.environ)):
        raise SettingsError(*problems)
    if os.environ.pop("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        # Every outcome still has its trace id, but nothing leaves the process.
        for signal in SIGNALS:
            os.environ[f"OTEL_{signal}_EXPORTER"] = "none"
    if "OTEL_RESOURCE_ATTRIBUTES" in os.environ:
        # The SDK warns of a comma at the end of the list.
        entries = os.environ["OTEL_RESOURCE_ATTRIBUTES"].split(",")
        os.environ["OTEL_RESOURCE_ATTRIBUTES"] = ",".join(filter(str.strip, entries))


def not_taken(failure: Exception) -> SettingsError:
    """The error for variables that passed these checks, and that the SDK refuses all the same: a
    plug-in may raise anything, in words of its own."""
    set_here = sorted(
        name for name in os.environ if name.startswith("OTEL_") and name.isprintable()
    )
    return SettingsError(
        f"{', '.join(set_here) or 'OTEL_*'}: OpenTelemetry does not take one of these: "
        f"{type(failure).__name__}; correct it, or unset it"
    )


def wrong(environment: Mapping[str, str]) -> Iterator[str]:
    """The problems with values that the SDK, as this program uses it, would not accept."""
    for name, check in _CHECKS.items():
        value = environment.get(name, "")
        if not value.strip():
            continue
        must = check(value.strip()) if value.strip().isprintable() else "be printable text"
        if must is not None:
            yield f"{name}: must {must}; correct it, or unset it"
    queue, batch = (_number(environment.get(name)) for name in _BATCH)
    if (batch or _USUAL_BATCH) > (queue or _USUAL_QUEUE):
        yield f"{_BATCH[1]}: must be at most {_BATCH[0]}; correct it, or unset it"
    protocols = (
        _set_of(environment, signal, "PROTOCOL")
        for signal in SIGNALS
        if "otlp" in exporters(environment, signal)
    )
    for protocol in dict.fromkeys(protocols):
        if protocol is not None and environment[protocol].strip() != "http/protobuf":
            yield f"{protocol}: only http/protobuf is built in"


def exporters(environment: Mapping[str, str], signal: Signal) -> list[str]:
    """The exporters to build: ``otlp``, ``console``. An endpoint alone asks for ``otlp``."""
    text = environment.get(f"OTEL_{signal}_EXPORTER", "")
    if not text.strip() and _set_of(environment, signal, "ENDPOINT") is not None:
        text = "otlp"
    names = (name.strip().lower() for name in text.split(","))
    return [name for name in dict.fromkeys(names) if name not in NOTHING_TO_BUILD]


def _set_of(environment: Mapping[str, str], signal: Signal, what: str) -> str | None:
    """The OTLP variable that holds for a signal: its own, else that of all; None if none is set."""
    names = (f"OTEL_EXPORTER_OTLP_{signal}_{what}", f"OTEL_EXPORTER_OTLP_{what}")
    return next((name for name in names if environment.get(name, "").strip()), None)


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\s*[0-9]{1,10}\s*", text, re.ASCII) else None


def _whole(least: int, most: int) -> Callable[[str], Problem]:
    def check(text: str) -> Problem:
        number = _number(text)
        if number is None or not least <= number <= most:
            return f"be a whole number from {least} to {most}"
        return None

    return check


def _limit(text: str) -> Problem:
    if text.lower() == "unset" or _number(text) is not None:
        return None
    return "be a whole number of at least 0, or unset"


def _decimal(most: float) -> Callable[[str], Problem]:
    def check(text: str) -> Problem:
        try:
            valid = 0 <= float(text) <= most
        except ValueError:
            valid = False
        return None if valid else f"be a number from 0 to {most}"

    return check


def _one_of(*allowed: str) -> Callable[[str], Problem]:
    def check(text: str) -> Problem:
        return None if text.lower() in allowed else f"be one of {', '.join(allowed)}"

    return check


def _exporters(signal: Signal) -> Callable[[str], Problem]:
    def check(text: str) -> Problem:
        built_in = EXPORTERS[signal]
        asked = exporters({f"OTEL_{signal}_EXPORTER": text}, signal)
        strange = next((name for name in asked if name not in built_in), None)
        if strange is None:
            return None
        allowed = f"{', '.join(built_in[:-1])} or {built_in[-1]}"
        return f"be {allowed}: {strange[:_SHOWN]!r} is not built in"

    return check


def _endpoint(text: str) -> Problem:
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and parts.port != 0
        valid = valid and is_host(parts.hostname or "")
    except ValueError:
        valid = False
    if not valid or re.search(r"[^!-~]", text) or len(text) > _LONGEST_URL:
        return "be an http:// or https:// URL"
    return None


def _headers(text: str) -> Problem:
    for number, entry in enumerate(text.split(","), 1):
        if not entry.strip():
            continue
        match = _HEADER.fullmatch(entry.strip())
        # Percent signs in a header are decoded, and a decoded line break would end the header.
        if match is None or not re.fullmatch(r"[ -~]*", unquote(match["value"])):
            return f"be NAME=VALUE, separated by commas, in printable ASCII: entry {number} is not"
        if not re.fullmatch(_KEY, unquote(match["name"])):
            return f"be NAME=VALUE, separated by commas: entry {number} has no name of a header"
    return None


def _attributes(text: str) -> Problem:
    for number, entry in enumerate(text.split(","), 1):
        key, equals, _ = entry.partition("=")
        if entry.strip() and not (equals and key.strip()):
            return f"be KEY=VALUE, separated by commas: entry {number} is not"
    return None


def _file(text: str) -> Problem:
    try:
        Path(text).open("rb").close()
    except OSError:
        return "name a file that this user may read"
    return None


def _any(_: str) -> Problem:
    return None


def _plug_ins(group: str, *known: str) -> Callable[[str], Problem]:
    def check(text: str) -> Problem:
        names = {name.strip() for name in text.split(",") if name.strip()} - {*known}
        installed = entry_points(group=group).names
        return None if names <= installed else "name nothing but what is installed"

    return check


_BATCH = ("OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE")

_CREDENTIALS = _plug_ins("opentelemetry_otlp_credential_provider")

_OTLP: dict[str, Callable[[str], Problem]] = {
    "ENDPOINT": _endpoint,
    "HEADERS": _headers,
    "TIMEOUT": _decimal(_MOST_SECONDS),
    "COMPRESSION": _one_of("none", "gzip", "deflate"),
    "CERTIFICATE": _file,
    "CLIENT_KEY": _file,
    "CLIENT_CERTIFICATE": _file,
}

_LIMITS = (
    *("ATTRIBUTE_COUNT", "SPAN_ATTRIBUTE_COUNT", "EVENT_ATTRIBUTE_COUNT", "LINK_ATTRIBUTE_COUNT"),
    *("SPAN_EVENT_COUNT", "SPAN_LINK_COUNT", "LOGRECORD_ATTRIBUTE_COUNT"),
    *("ATTRIBUTE_VALUE_LENGTH", "SPAN_ATTRIBUTE_VALUE_LENGTH", "LOGRECORD_ATTRIBUTE_VALUE_LENGTH"),
)

_CHECKS: dict[str, Callable[[str], Problem]] = {
    "OTEL_SDK_DISABLED": _one_of("true", "false"),
    **{f"OTEL_{signal}_EXPORTER": _exporters(signal) for signal in SIGNALS},
    "OTEL_METRIC_EXPORT_INTERVAL": _whole(_LEAST_INTERVAL_MS, _MOST_MS),
    # All that the metrics of this program can be sent as.
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": _one_of("cumulative"),
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": _one_of(
        "explicit_bucket_histogram"
    ),
    "OTEL_TRACES_SAMPLER": _one_of(
        *("always_on", "always_off", "traceidratio"),
        *(f"parentbased_{name}" for name in ("always_on", "always_off", "traceidratio")),
    ),
    "OTEL_TRACES_SAMPLER_ARG": _decimal(1),
    "OTEL_SERVICE_NAME": _any,
    "OTEL_RESOURCE_ATTRIBUTES": _attributes,
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": _plug_ins("opentelemetry_resource_detector", "*"),
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER": _CREDENTIALS,
    **{
        f"OTEL_PYTHON_EXPORTER_OTLP_HTTP_{signal}_CREDENTIAL_PROVIDER": _CREDENTIALS
        for signal in SIGNALS
    },
    "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": _one_of("true", "false"),
    "OTEL_BSP_SCHEDULE_DELAY": _whole(1, _MOST_MS),
    "OTEL_BSP_EXPORT_TIMEOUT": _whole(1, _MOST_MS),
    **{name: _whole(1, _MOST_SPANS) for name in _BATCH},
    **{f"OTEL_EXPORTER_OTLP_{name}": check for name, check in _OTLP.items()},
    **{
        f"OTEL_EXPORTER_OTLP_{signal}_{name}": check
        for signal in SIGNALS
        for name, check in _OTLP.items()
    },
    **{f"OTEL_{name}_LIMIT": _limit for name in _LIMITS},
}
