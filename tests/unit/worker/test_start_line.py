"""What a worker says of itself once it listens."""

from __future__ import annotations

from collections.abc import Callable

from streams import __version__
from streams.settings import Settings
from streams.worker.start_line import start_line


def test_everything_that_a_wrong_set_up_shows_in_is_there(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(
        genesys_cloud_base_url="https://api.mypurecloud.de",
        genesys_cloud_client_id="the-client",
        genesys_cloud_client_secret="hush-0f7a",
        disposition_code_id="code-1",
        genesys_budget_shared_by=3,
        worker_host="::1",
        worker_instance_id="worker-0",
        app_id="blue",
        topic_prefix="p.",
        skip_records="p.events/0/1",
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username="user",
        kafka_sasl_password="hush-1f7a",
        worker_api_key="hush-3f7a",
        bridge_api_key="hush-2f7a",
    )
    line = start_line(settings, port=6066)
    assert line == {
        "url": "http://[::1]:6066",
        "version": __version__,
        "org": "api.mypurecloud.de",
        "dialect": "interactions",
        "dry_run": False,
        "code": "code-1",
        "threshold_ms": 30_000,
        "fetch": "completed",
        "requests_per_minute": 300,
        "budget_shared_by": 3,
        "lag_window_seconds": 0.0,
        "skipped_records": 1,
        "kafka": "localhost:9092",
        "group": "blue",
        "topics": "p.",
        "instance": "worker-0",
    }
    assert "hush" not in str(line)


def test_of_conversations_it_says_which_legs_get_a_code(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(
        genesys_api="conversations",
        genesys_cloud_base_url="https://api.mypurecloud.de",
        genesys_cloud_client_id="the-client",
        genesys_cloud_client_secret="hush-0f7a",
        disposition_code_id="code-1",
        wrap_up_legs="last",
    )
    line = start_line(settings, port=6066)
    shown = {name: line[name] for name in ("dialect", "media", "legs", "campaigns", "method")}
    assert shown == {
        "dialect": "conversations",
        "media": "voice",
        "legs": "last",
        "campaigns": "leave",
        "method": "participant",
    }
    assert "fetch" not in line
