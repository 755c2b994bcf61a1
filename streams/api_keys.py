"""The keys that an HTTP endpoint of ours accepts in ``X-Api-Key``."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from pydantic import SecretStr

from streams.errors import SettingsError

HEADER = "X-Api-Key"


def accepted_keys(program: str, setting: SecretStr | None, host: str, local: bool) -> Sequence[str]:
    """The keys of BRIDGE_API_KEY or WORKER_API_KEY; there are several during a rotation.

    ``local``: whether ``host`` is loopback. Raises SettingsError when it is not and no key is set:
    then whoever reaches the host could ask.
    """
    text = setting.get_secret_value() if setting else ""
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    if not keys and not local:
        raise SettingsError(
            f"{program}_API_KEY: required because {program}_HOST={host} is not loopback"
        )
    return keys


def is_authorized(presented: str | None, keys: Sequence[str]) -> bool:
    """Whether ``X-Api-Key`` is one of the accepted keys; any value is accepted when there are none.

    The check takes the same time whichever key matches, and wherever a wrong key differs.
    """
    if not keys:
        return True
    given = _octets(presented or "")
    matches = [hmac.compare_digest(given, _octets(key)) for key in keys]
    return any(matches)


def _octets(text: str) -> bytes:
    # Header bytes that are not UTF-8 arrive as lone surrogates. Encoded like this they never equal
    # the bytes of another text.
    return text.encode("utf-8", "surrogatepass")
