"""Keeps secrets out of everything that goes into a bundle.

What is known to be secret is never written; what others have written, such as logs and errors, is
searched for it, in whatever form it was written there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic import SecretStr
from yarl import URL

from streams.errors import KafkaError
from streams.genesys.blotting import BLOT, Blotter
from streams.kafka.secret import Secret
from streams.settings import Settings

# Variables of other programs that this one obeys, and whether their value is safe to show. Whatever
# is not named here is not even read.
_SHOWN = re.compile(
    r"OTEL_(SERVICE_NAME|SDK_DISABLED|TRACES_SAMPLER|TRACES_SAMPLER_ARG|PROPAGATORS"
    r"|(TRACES|METRICS|LOGS)_EXPORTER|METRIC_EXPORT_(INTERVAL|TIMEOUT)"
    r"|EXPORTER_OTLP_(\w+_)?(PROTOCOL|TIMEOUT|COMPRESSION))|NO_PROXY|AWS_(DEFAULT_)?REGION",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"OTEL_\w+|AWS_\w+|(HTTP|HTTPS|ALL|NO)_PROXY|SSL_CERT_(FILE|DIR)", re.IGNORECASE
)

# Of these the value is a secret, or a part of it: of headers their values, of a URL the login, and
# what is long in its path, which some hosts take for a key.
_SECRET = re.compile(r"AWS_(SECRET_ACCESS_KEY|SESSION_TOKEN|CONTAINER_AUTHORIZATION_TOKEN)", re.I)
_HEADERS = re.compile(r"OTEL_EXPORTER_OTLP_(\w+_)?HEADERS", re.I)
_URLS = re.compile(r"OTEL_EXPORTER_OTLP_(\w+_)?ENDPOINT|(HTTP|HTTPS|ALL)_PROXY", re.I)

# A part of a path that is so long is taken for a key: `v1`, `traces` and the like are shorter.
KEY_LENGTH = 16

# What is shown of a secret, and of a variable whose value may have one.
SET = "set, not shown"


class Scrubber:
    """Takes these secrets out of texts."""

    def __init__(self, secrets: Iterator[str]) -> None:
        # A shorter one may be a part of a longer one, and would leave the rest of it.
        self._blotter = Blotter(*sorted(set(secrets), key=len, reverse=True))

    def text(self, text: str) -> str:
        """The text, line by line: a line is written by one program at once."""
        return "\n".join(self._blotter.blotted(line) for line in text.split("\n"))

    def value(self, value: Any) -> Any:
        """A value of JSON, each text in it for itself: what stands between two texts is no part of
        either."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(name)): self.value(each) for name, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(each) for each in value]
        return value


def shown(settings: Settings) -> dict[str, object]:
    """Each setting under its variable's name; of a secret only that it is set."""
    return {name.upper(): _shown(getattr(settings, name)) for name in type(settings).model_fields}


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of other programs that are obeyed, with the values that can hold no secret."""
    return {
        name: value if _SHOWN.fullmatch(name) else SET
        for name, value in sorted(variables.items())
        if _NAMED.fullmatch(name)
    }


def secrets(settings: Settings, variables: Mapping[str, str]) -> Iterator[str]:
    """All that must not be in a bundle."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            text = value.get_secret_value()
            # Keys may be several, separated by commas.
            yield from (text, *(part.strip() for part in text.split(",")))
        elif isinstance(value, Path) and name.endswith(("password_file", "secret_file")):
            yield from _in_file(value)
        elif isinstance(value, str) and "://" in value:
            yield from _logins(value)
    for name, text in variables.items():
        if _HEADERS.fullmatch(name):
            for pair in text.split(","):
                value = unquote(pair.partition("=")[2]).strip()
                yield from (value, *value.split())
        elif _URLS.fullmatch(name):
            yield from _logins(text)
        elif _SECRET.fullmatch(name):
            yield text


def _shown(value: object) -> object:
    if isinstance(value, SecretStr):
        return SET
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, str) and "://" in value:
        return ",".join(_without_login(part) for part in value.split(","))
    return value


def _in_file(path: Path) -> Iterator[str]:
    try:
        yield Secret(file=path).read()
    except KafkaError:
        return  # doctor says it: there is no secret in it


def _logins(text: str) -> Iterator[str]:
    """Of URLs, separated by commas: passwords, queries, and what in a path may be a key."""
    for url in filter(None, map(_url, text.split(","))):
        yield from (url.password or "", *url.query.values())
        yield from (part for part in url.parts if len(part) >= KEY_LENGTH)


def _without_login(part: str) -> str:
    url = _url(part)
    if url is None:
        return BLOT
    return part if url.raw_user is None else str(url.with_user(None))


def _url(text: str) -> URL | None:
    try:
        return URL(text.strip())
    except ValueError:
        return None
