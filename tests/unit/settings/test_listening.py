"""Where bridge and worker listen, who may call them, and the queue that a bridge reads."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from streams.settings import Settings
from streams.tls_files import RenewedContext
from tests.support.authority import Authority
from tests.support.environments import Environment, refusal


@pytest.mark.parametrize("program", ["BRIDGE", "WORKER", "CONSOLE"])
class TestApiKeys:
    def keys(self, program: str) -> Sequence[str]:
        settings = Settings.load()
        keys = {
            "BRIDGE": settings.bridge_api_keys,
            "WORKER": settings.worker_api_keys,
            "CONSOLE": settings.console_api_keys,
        }
        return keys[program]()

    @pytest.mark.parametrize(
        ("text", "keys"),
        [("one", ("one",)), ("old,new", ("old", "new")), (" old , , new ,", ("old", "new"))],
    )
    def test_several_serve_a_rotation(
        self, environment: Environment, program: str, text: str, keys: tuple[str, ...]
    ) -> None:
        environment(**{f"{program}_API_KEY": text})
        assert self.keys(program) == keys

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
    def test_none_is_needed_on_loopback(
        self, environment: Environment, program: str, host: str
    ) -> None:
        environment(**{f"{program}_HOST": host})
        assert self.keys(program) == ()

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "bridge.example.org"])
    @pytest.mark.parametrize("key", ["", " , "])
    def test_one_is_required_elsewhere(
        self, environment: Environment, program: str, host: str, key: str
    ) -> None:
        environment(**{f"{program}_HOST": host, f"{program}_API_KEY": key})
        message = refusal(lambda: self.keys(program))
        assert message.startswith(f"{program}_API_KEY: required because {program}_HOST={host} ")


class TestConsoleWorkers:
    @pytest.mark.parametrize(
        ("variables", "urls"),
        [
            ({}, ("http://127.0.0.1:6066",)),
            ({"WORKER_PORT": "7000"}, ("http://127.0.0.1:7000",)),
            ({"WORKER_PORT": "0"}, ()),
            (
                {"WORKER_URLS": " http://a:1/ ,, http://b:2,http://a:1/"},
                ("http://a:1", "http://b:2"),
            ),
        ],
    )
    def test_they_are_named_or_this_machine_s_own(
        self, environment: Environment, variables: dict[str, str], urls: tuple[str, ...]
    ) -> None:
        environment(**variables)
        assert Settings.load().console_worker_urls() == urls

    def test_what_is_no_url_is_refused(self, environment: Environment) -> None:
        environment(WORKER_URLS="http://a:1, worker-2:6066")
        message = refusal(Settings.load().console_worker_urls)
        assert message.startswith("WORKER_URLS: must be an http://")


class TestQueueUrl:
    @pytest.mark.parametrize(
        "url",
        ["https://sqs.eu-central-1.amazonaws.com/123456789012/events", "http://127.0.0.1:5000/1/q"],
    )
    def test_it_is_read_without_blanks_around_it(self, environment: Environment, url: str) -> None:
        environment(BRIDGE_QUEUE_URL=f" {url} ")
        assert Settings.load().queue_url() == url

    def test_it_is_required_by_the_bridge_from_sqs_alone(self, environment: Environment) -> None:
        environment()
        assert refusal(Settings.load().queue_url).startswith("BRIDGE_QUEUE_URL: required")

    @pytest.mark.parametrize(
        "url",
        ["events", "arn:aws:sqs:eu-central-1:1:events", "https://host", "https://a:b@host/1/q"],
    )
    def test_what_is_no_queue_is_refused(self, environment: Environment, url: str) -> None:
        environment(BRIDGE_QUEUE_URL=url)
        assert refusal(Settings.load().queue_url).startswith("BRIDGE_QUEUE_URL: ")


class TestAdvertisedUrl:
    @pytest.mark.parametrize(
        ("host", "url"),
        [
            ("127.0.0.1", "http://127.0.0.1:6066"),
            ("::1", "http://[::1]:6066"),
            ("worker-0.workers", "http://worker-0.workers:6066"),
        ],
    )
    def test_is_the_address_listened_on(
        self, environment: Environment, host: str, url: str
    ) -> None:
        environment(WORKER_HOST=host)
        assert Settings.load().advertised_url() == url

    @pytest.mark.parametrize("host", ["0.0.0.0", "::"])
    def test_is_this_machine_where_all_addresses_are(
        self, environment: Environment, host: str
    ) -> None:
        environment(WORKER_HOST=host, WORKER_PORT="7000")
        assert Settings.load().advertised_url() == f"http://{socket.gethostname()}:7000"

    def test_can_be_set(self, environment: Environment) -> None:
        environment(WORKER_ADVERTISED_URL="https://workers.example.org/0/")
        assert Settings.load().advertised_url() == "https://workers.example.org/0"

    def test_must_be_one(self, environment: Environment) -> None:
        environment(WORKER_ADVERTISED_URL="worker-0")
        assert refusal(Settings.load().advertised_url).startswith("WORKER_ADVERTISED_URL: ")


@pytest.mark.parametrize("program", ["BRIDGE", "CONSOLE", "WORKER"])
class TestTls:
    def tls(self, program: str) -> RenewedContext | None:
        settings = Settings.load()
        made = {
            "BRIDGE": settings.bridge_tls,
            "CONSOLE": settings.console_tls,
            "WORKER": settings.worker_tls,
        }
        return made[program]()

    def test_there_is_none_without_a_certificate(
        self, environment: Environment, program: str
    ) -> None:
        environment()
        assert self.tls(program) is None

    def test_the_key_may_lie_in_the_certificates_file_or_its_own(
        self, environment: Environment, program: str, tmp_path: Path
    ) -> None:
        both = Authority(tmp_path).certificate("both")
        environment(**{f"{program}_SSL_CERTFILE": str(both)})
        assert self.tls(program) is not None
        environment(**{f"{program}_SSL_CERTFILE": str(both), f"{program}_SSL_KEYFILE": str(both)})
        assert self.tls(program) is not None

    def test_files_that_can_not_be_used_are_refused_by_the_variables_name(
        self, environment: Environment, program: str, tmp_path: Path
    ) -> None:
        authority = Authority(tmp_path)
        one, other = authority.certificate("one"), authority.certificate("other")
        certificate, key = f"{program}_SSL_CERTFILE", f"{program}_SSL_KEYFILE"
        for given, message in (
            ({certificate: str(tmp_path / "gone")}, f"{certificate}: cannot read "),
            ({certificate: str(authority.file)}, f"{key}: required, for there is no private key"),
            ({certificate: str(one), key: str(other)}, f"{key}: no private key in {other} that "),
            ({key: str(one)}, f"{certificate}: required with {key}"),
        ):
            environment(**{certificate: "", key: ""} | given)
            assert refusal(lambda: self.tls(program)).startswith(message)


def test_the_ca_of_the_other_workers_is_checked(environment: Environment, tmp_path: Path) -> None:
    environment(WORKER_SSL_CAFILE=str(tmp_path / "gone"))
    assert refusal(Settings.load().peers_tls).startswith("WORKER_SSL_CAFILE: cannot read ")


def test_a_worker_with_a_certificate_is_advertised_over_tls(
    environment: Environment, tmp_path: Path
) -> None:
    certificate = Authority(tmp_path).certificate("worker")
    environment(WORKER_SSL_CERTFILE=str(certificate), WORKER_HOST="10.0.0.7")
    assert Settings.load().advertised_url() == "https://10.0.0.7:6066"
