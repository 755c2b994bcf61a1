"""What the worker needs of Genesys Cloud: URLs, credentials and dialect."""

from __future__ import annotations

import pytest

from streams.errors import SettingsError
from streams.settings import Settings
from tests.support.environments import GENESYS, SECRET, Environment, refusal


class TestGenesys:
    def test_takes_over_every_setting(self, environment: Environment) -> None:
        environment(
            **GENESYS,
            GENESYS_CLOUD_LOGIN_URL="https://login.example.org/",
            GENESYS_CLOUD_SCOPES="interaction:read",
            GENESYS_REQUESTS_PER_MINUTE="180",
            API_TIMEOUT_SECONDS="2.5",
        )
        genesys = Settings.load().genesys()
        assert genesys.base_url == "https://api.mypurecloud.de"
        assert genesys.login_url == "https://login.example.org"
        assert genesys.client_id == "client"
        assert genesys.scopes == "interaction:read"
        assert genesys.requests_per_minute == 180
        assert genesys.timeout == 2.5

    @pytest.mark.parametrize("variable", GENESYS)
    @pytest.mark.parametrize("blank", [None, "", "  "])
    def test_what_the_worker_needs_is_asked_for(
        self,
        environment: Environment,
        monkeypatch: pytest.MonkeyPatch,
        variable: str,
        blank: str | None,
    ) -> None:
        environment(**GENESYS)
        if blank is None:
            monkeypatch.delenv(variable)
        else:
            environment(**{variable: blank})
        message = refusal(Settings.load().genesys)
        assert message.startswith(f"{variable}: required")
        assert "\n" not in message

    @pytest.mark.parametrize(
        ("base", "login"),
        [
            ("https://api.mypurecloud.de", "https://login.mypurecloud.de"),
            ("https://api.usw2.pure.cloud/", "https://login.usw2.pure.cloud"),
            ("https://api.example.org:8443", "https://login.example.org:8443"),
            ("http://127.0.0.1:8090", "http://127.0.0.1:8090"),
            ("HTTPS://API.Mypurecloud.de", "https://login.mypurecloud.de"),
            ("http://[::1]:8090", "http://[::1]:8090"),
            ("http://LocalHost:8090", "http://localhost:8090"),
            ("http://127.9.9.9", "http://127.9.9.9"),
        ],
    )
    def test_the_token_host_follows_from_the_base(
        self, environment: Environment, base: str, login: str
    ) -> None:
        environment(**GENESYS | {"GENESYS_CLOUD_BASE_URL": base})
        assert Settings.load().genesys().login_url == login

    @pytest.mark.parametrize("variable", ["GENESYS_CLOUD_BASE_URL", "GENESYS_CLOUD_LOGIN_URL"])
    @pytest.mark.parametrize(
        "url",
        [
            "api.mypurecloud.de",
            "ftp://api.mypurecloud.de",
            "https://",
            "https://api.mypurecloud.de:99999",
            "https://api.mypurecloud.de:0",
            "https://[::1",
            "https://api.mypurecloud.de?region=de",
            "https://api.mypurecloud.de#fragment",
            "https://api.my purecloud.de",
            "https://api..mypurecloud.de",
            "https://-api.mypurecloud.de",
            f"https://{'a' * 64}.mypurecloud.de",
            "https://api.mypurecloud.d\u00e9",
            "https://api.mypurecloud.de\\@example.org",
            f"https://api.mypurecloud.de/{'a' * 500}",
            f"https://client:{SECRET}@api.mypurecloud.de",
        ],
    )
    def test_what_is_no_base_to_append_a_path_to_is_refused(
        self, environment: Environment, variable: str, url: str
    ) -> None:
        environment(**GENESYS | {variable: url})
        message = refusal(Settings.load().genesys)
        assert message.startswith(f"{variable}: ")
        assert "\n" not in message
        assert SECRET not in message

    @pytest.mark.parametrize("variable", ["GENESYS_CLOUD_BASE_URL", "GENESYS_CLOUD_LOGIN_URL"])
    @pytest.mark.parametrize("path", ["/api/v2", "/api/v2/", "/x", "//x"])
    def test_a_path_is_refused_with_what_to_write_instead(
        self, environment: Environment, variable: str, path: str
    ) -> None:
        environment(**GENESYS | {variable: f"https://api.mypurecloud.de:8443{path}"})
        assert refusal(Settings.load().genesys) == (
            f"{variable}: must have no path; write https://api.mypurecloud.de:8443"
        )

    @pytest.mark.parametrize("variable", ["GENESYS_CLOUD_BASE_URL", "GENESYS_CLOUD_LOGIN_URL"])
    @pytest.mark.parametrize(
        "host", ["api.mypurecloud.de", "10.0.0.1", "128.0.0.1", "[::2]", "localhost.example.org"]
    )
    def test_the_secret_goes_in_clear_only_where_that_was_asked_for(
        self, environment: Environment, variable: str, host: str
    ) -> None:
        environment(**GENESYS | {variable: f"http://{host}:8090"})
        message = refusal(Settings.load().genesys)
        assert message.startswith(f"{variable}: http:// to another machine ")
        assert "ALLOW_INSECURE_HTTP" in message
        environment(ALLOW_INSECURE_HTTP="true")
        genesys = Settings.load().genesys()
        assert f"http://{host}:8090" in (genesys.base_url, genesys.login_url)


def test_a_client_id_with_a_colon_is_refused() -> None:
    settings = Settings.load(
        _env_file=None,
        genesys_cloud_base_url="https://api.mypurecloud.de",
        genesys_cloud_client_id="a:b",
        genesys_cloud_client_secret="secret",
    )
    with pytest.raises(SettingsError, match="GENESYS_CLOUD_CLIENT_ID"):
        settings.genesys()


class TestRegion:
    @pytest.fixture(autouse=True)
    def region(self, environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
        environment(**GENESYS, GENESYS_CLOUD_REGION="eu-central-1")
        monkeypatch.delenv("GENESYS_CLOUD_BASE_URL")

    def test_stands_in_place_of_base_and_login_url(self) -> None:
        genesys = Settings.load().genesys()
        assert genesys.base_url == "https://api.mypurecloud.de"
        assert genesys.login_url == "https://login.mypurecloud.de"

    @pytest.mark.parametrize("variable", ["GENESYS_CLOUD_BASE_URL", "GENESYS_CLOUD_LOGIN_URL"])
    def test_is_refused_beside_a_url(self, environment: Environment, variable: str) -> None:
        environment(**{variable: "https://api.mypurecloud.ie"})
        assert refusal(Settings.load().genesys).startswith("GENESYS_CLOUD_REGION: stands in place")

    def test_one_that_there_is_not_is_refused(self, environment: Environment) -> None:
        environment(GENESYS_CLOUD_REGION="eu-middle-1")
        assert refusal(Settings.load().genesys).startswith("GENESYS_CLOUD_REGION: no region")


class TestConversations:
    @pytest.fixture(autouse=True)
    def conversations(self, environment: Environment) -> None:
        environment(**GENESYS, GENESYS_API="conversations")

    def test_no_scope_is_sent_unless_one_is_set(self, environment: Environment) -> None:
        assert Settings.load().connection().scopes is None
        environment(GENESYS_CLOUD_SCOPES="conversations")
        assert Settings.load().connection().scopes == "conversations"

    def test_interactions_has_its_scopes(self, environment: Environment) -> None:
        environment(GENESYS_API="interactions")
        assert Settings.load().genesys().scopes == "interaction:read interaction:write"

    def test_takes_over_the_grant_and_the_method(self, environment: Environment) -> None:
        environment(
            GENESYS_CLOUD_REFRESH_TOKEN=SECRET,
            WRAP_UP_METHOD="communication",
            WRAP_UP_KEEP_END_TIME="false",
        )
        genesys = Settings.load().connection()
        assert genesys.dialect == "conversations"
        assert genesys.refresh_token == SECRET
        assert (genesys.wrap_up_method, genesys.keep_end_time) == ("communication", False)
        assert SECRET not in repr(genesys)
