"""How what is wrong with the settings is named: all at once, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import SettingsError
from streams.settings import Settings
from tests.support.environments import GENESYS, SASL, SECRET, Environment, refusal


class TestAllAtOnce:
    def test_a_worker_with_nothing_set_names_all_that_it_needs(self) -> None:
        message = refusal(lambda: Settings.load(Settings.genesys, Settings.check_policy))
        for variable in (*GENESYS, "DISPOSITION_CODE_ID"):
            assert message.count(f"{variable}: required") == 1
        assert message.isprintable()

    def test_what_is_wrong_is_named_with_what_is_missing(self, environment: Environment) -> None:
        environment(
            GENESYS_CLOUD_BASE_URL="https://api.mypurecloud.de/api/v2",
            GENESYS_CLOUD_CLIENT_SECRET="s\u00e9same",
            MAX_IN_FLIGHT="many",
            DRY_RUN="maybe",
            KAFKA_SECURITY_PROTOCOL="SASL_SSL",
            SKIP_RECORDS="x",
            KAFKA_SSL_CAFILE="missing",
        )
        message = refusal(lambda: Settings.load(Settings.genesys, Settings.check_policy))
        named = [problem.partition(": ")[0] for problem in message.split(" | ")]
        assert sorted(named) == sorted(
            [
                "GENESYS_CLOUD_BASE_URL", "GENESYS_CLOUD_CLIENT_ID", "GENESYS_CLOUD_CLIENT_SECRET",
                "DISPOSITION_CODE_ID", "MAX_IN_FLIGHT", "DRY_RUN", "KAFKA_SASL_MECHANISM",
                "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD", "SKIP_RECORDS", "KAFKA_SSL_CAFILE",
            ]
        )  # fmt: skip


class TestKubernetes:
    @pytest.mark.parametrize("name", ["worker", "bridge"])
    @pytest.mark.parametrize("protocol", ["tcp", "udp", "sctp"])
    def test_the_address_of_a_service_is_not_mistaken_for_a_port(
        self, environment: Environment, name: str, protocol: str
    ) -> None:
        environment(**{f"{name.upper()}_PORT": f"{protocol}://10.0.0.1:6066"})
        message = refusal(Settings.load)
        assert message.startswith(f"{name.upper()}_PORT: must be a whole number from 0 to 65535; ")
        assert f"Service named {name}" in message
        assert "enableServiceLinks: false" in message
        assert "10.0.0.1" not in message


class TestDotEnv:
    def test_is_read_and_the_environment_wins(self, environment: Environment) -> None:
        Path(".env").write_text(f"MAX_IN_FLIGHT=7\nAPP_ID=blue\nUNKNOWN=1\nBRIDGE_API_KEY={SECRET}")
        environment(APP_ID="green")
        settings = Settings.load()
        assert settings.max_in_flight == 7
        assert settings.app_id == "green"
        assert settings.bridge_api_keys() == (SECRET,)

    def test_a_wrong_value_in_it_names_the_variable(self) -> None:
        Path(".env").write_text("MAX_IN_FLIGHT=many\n")
        assert refusal(Settings.load).startswith("MAX_IN_FLIGHT: ")

    def test_one_that_is_no_text_is_refused_in_one_line(self) -> None:
        Path(".env").write_bytes(b"MAX_IN_FLIGHT=\xff\n")
        assert refusal(Settings.load).startswith(".env: ")


class TestSecrets:
    @pytest.fixture(autouse=True)
    def secrets(self, environment: Environment) -> None:
        environment(**GENESYS, **SASL, BRIDGE_API_KEY=SECRET)

    def test_are_in_no_text_made_of_settings(self) -> None:
        settings = Settings.load()
        genesys = settings.genesys()
        assert genesys.client_secret == SECRET
        for text in (repr(settings), str(settings), settings.model_dump_json(), repr(genesys)):
            assert SECRET not in text

    def test_are_in_no_error(self, environment: Environment) -> None:
        environment(LOG_LEVEL=SECRET)
        with pytest.raises(SettingsError) as caught:
            Settings.load()
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    def test_lose_the_line_feed_that_a_file_ends_with(self, environment: Environment) -> None:
        environment(GENESYS_CLOUD_CLIENT_SECRET=f"{SECRET}\n")
        assert Settings.load().genesys().client_secret == SECRET
