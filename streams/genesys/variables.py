"""The variables about Genesys Cloud, a part of all settings."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field, SecretStr, field_validator

from streams.addresses import api_url
from streams.core.conversations.policy import Campaigns, Legs
from streams.errors import SettingsError
from streams.genesys.regions import domain_of
from streams.genesys.settings import (
    INTERACTION_SCOPES,
    GenesysSettings,
    Medium,
    WrapUpMethod,
)
from streams.refusal import all_of, required
from streams.variables import DAY, HEADER_TEXT, HOUR, LONGEST, SCOPES, SCOPES_TEXT

# Codes are UUIDs or Genesys' own words; 64 of them are more than any org counts as none.
_CODES = re.compile(r"[!-+\--~]{1,128}(\s*,\s*[!-+\--~]{1,128}){0,63}", re.ASCII)

# A token goes into a form; this is the length that a granted one may have too.
_REFRESH_TOKEN = re.compile(r"[!-~]{1,8192}", re.ASCII)


class GenesysVariables(BaseModel):
    """The variables about Genesys Cloud; defaults are the contract's."""

    genesys_cloud_base_url: str | None = None
    genesys_cloud_login_url: str | None = None
    genesys_cloud_client_id: str | None = Field(None, description=HEADER_TEXT)
    genesys_cloud_client_secret: SecretStr | None = Field(None, description=HEADER_TEXT)
    genesys_cloud_scopes: str | None = Field(
        # With interactions those of INTERACTION_SCOPES, with conversations none.
        None,
        pattern=SCOPES,
        max_length=LONGEST,
        description=SCOPES_TEXT,
    )
    genesys_api: Literal["interactions", "conversations"] = "interactions"
    allow_insecure_http: bool = False
    genesys_cloud_region: str | None = None
    genesys_cloud_refresh_token: SecretStr | None = Field(
        None, description="at most 8192 printable ASCII characters without a blank"
    )
    genesys_requests_per_minute: int = Field(300, ge=1, le=10_000_000)
    genesys_budget_shared_by: int = Field(1, ge=1, le=100_000)
    api_timeout_seconds: float = Field(10.0, gt=0, le=HOUR)
    breaker_open_seconds: float = Field(30.0, gt=0, le=DAY)

    wrap_up_none_codes: str = Field(
        "ININ-WRAP-UP-TIMEOUT,ININ-WRAP-UP-SKIPPED",
        description="at most 64 codes separated by commas, each of 1 to 128 printable ASCII "
        "characters without a blank",
    )
    wrap_up_media: str = Field(
        "voice",
        description="voice, callback, message, email or chat, several separated by commas",
    )
    wrap_up_legs: Legs = "all"
    # Genesys ends after-call work after an hour, where it ends it at all.
    wrap_up_margin_seconds: float = Field(10.0, ge=0, le=HOUR)
    wrap_up_patience_seconds: float = Field(900.0, ge=0, le=DAY)
    wrap_up_verify_seconds: float = Field(60.0, ge=0, le=HOUR)
    wrap_up_campaigns: Campaigns = "leave"
    wrap_up_method: WrapUpMethod = "participant"
    wrap_up_keep_end_time: bool = True

    @field_validator(
        "wrap_up_media", "wrap_up_legs", "wrap_up_campaigns", "wrap_up_method", mode="before"
    )
    @classmethod
    def _words(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("wrap_up_none_codes")
    @classmethod
    def _codes(cls, value: str) -> str:
        if not _CODES.fullmatch(value):
            raise ValueError("no list of codes")
        return value

    @field_validator("wrap_up_media")
    @classmethod
    def _media(cls, value: str) -> str:
        if not listed(value) <= set(get_args(Medium)):
            raise ValueError("no such medium")
        return value

    @field_validator("genesys_cloud_refresh_token")
    @classmethod
    def _fits_a_form(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _REFRESH_TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("no token")
        return value

    def refresh_token(self) -> str | None:
        """A user's refresh token; None for client credentials."""
        token = self.genesys_cloud_refresh_token
        return None if token is None else token.get_secret_value()

    def connection(self) -> GenesysSettings:
        """The API settings, whatever the dialect. Raises SettingsError."""
        base_url, login_url, client_id, secret = all_of(
            self._base_url, self._login_url, self._client_id, self._client_secret
        )
        scopes = self.genesys_cloud_scopes
        if scopes is None and self.genesys_api == "interactions":
            scopes = INTERACTION_SCOPES
        return GenesysSettings(
            base_url=base_url,
            login_url=login_url,
            client_id=client_id,
            client_secret=secret,
            scopes=scopes,
            requests_per_minute=self.genesys_requests_per_minute,
            budget_shared_by=self.genesys_budget_shared_by,
            timeout=self.api_timeout_seconds,
            breaker_open_seconds=self.breaker_open_seconds,
            dialect=self.genesys_api,
            refresh_token=self.refresh_token(),
            wrap_up_method=self.wrap_up_method,
            keep_end_time=self.wrap_up_keep_end_time,
        )

    def _base_url(self) -> str:
        if (domain := self._domain()) is not None:
            return f"https://api.{domain}"
        hint = "such as https://api.mypurecloud.de for your region"
        return self._api_url(
            "GENESYS_CLOUD_BASE_URL",
            required("GENESYS_CLOUD_BASE_URL", self.genesys_cloud_base_url, hint),
        )

    def _login_url(self) -> str:
        """The login URL that is set, or the region's. Without one: ``https://login.…`` for a base
        of ``https://api.…``, else the base."""
        if self.genesys_cloud_login_url:
            return self._api_url("GENESYS_CLOUD_LOGIN_URL", self.genesys_cloud_login_url)
        base_url, prefix = self._base_url(), "https://api."
        if base_url.startswith(prefix):
            return f"https://login.{base_url.removeprefix(prefix)}"
        return base_url

    def _domain(self) -> str | None:
        """The domain of the region, if one is set. Raises SettingsError."""
        if self.genesys_cloud_region is None:
            return None
        if self.genesys_cloud_base_url or self.genesys_cloud_login_url:
            raise SettingsError(
                "GENESYS_CLOUD_REGION: stands in place of GENESYS_CLOUD_BASE_URL and "
                "GENESYS_CLOUD_LOGIN_URL; unset it, or both of them"
            )
        return domain_of(self.genesys_cloud_region)

    def _client_id(self) -> str:
        client_id = required("GENESYS_CLOUD_CLIENT_ID", self.genesys_cloud_client_id)
        if ":" in client_id:
            # HTTP Basic ends the user's name at the first colon (RFC 7617).
            raise SettingsError("GENESYS_CLOUD_CLIENT_ID: must not contain a colon")
        return client_id

    def _client_secret(self) -> str:
        secret = required("GENESYS_CLOUD_CLIENT_SECRET", self.genesys_cloud_client_secret)
        return secret.get_secret_value()

    def _api_url(self, name: str, text: str) -> str:
        return api_url(name, text, insecure=self.allow_insecure_http)


def listed(text: str) -> frozenset[str]:
    """The words of a list that is separated by commas."""
    return frozenset(word.strip() for word in text.split(","))
