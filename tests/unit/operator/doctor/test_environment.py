"""What the doctor says of the settings and of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streams.operator.doctor.check import Check, Result
from streams.operator.doctor.environment import check_disk, check_regions, check_settings
from streams.settings import Settings

WHOLE: dict[str, Any] = {
    "genesys_cloud_region": "eu-central-1",
    "genesys_cloud_client_id": "client",
    "genesys_cloud_client_secret": "hush-0f7a",
    "disposition_code_id": "code-1",
}


def settings(**more: Any) -> Settings:
    given = {name: value for name, value in (WHOLE | more).items() if value is not None}
    return Settings.load(_env_file=None, **given)


def results(checks: list[Check]) -> dict[str, Result]:
    return {each.check: each.result for each in checks}


def one(name: str, checks: list[Check]) -> Check:
    (found,) = (each for each in checks if each.check == name)
    return found


@pytest.mark.parametrize("dialect", ["interactions", "conversations"])
def test_whole_settings_are_fine(dialect: str) -> None:
    checks = check_settings(settings(genesys_api=dialect))
    assert results(checks) == {"settings": Result.OK}
    assert dialect in checks[0].found
    assert "code-1" in checks[0].found


def test_each_setting_that_is_missing_is_a_line_of_its_own() -> None:
    checks = check_settings(
        settings(genesys_cloud_region=None, genesys_cloud_client_id=None, disposition_code_id=None)
    )
    assert [each.result for each in checks] == [Result.FAILED] * 3
    for each, name in zip(
        checks,
        ("GENESYS_CLOUD_BASE_URL", "GENESYS_CLOUD_CLIENT_ID", "DISPOSITION_CODE_ID"),
        strict=True,
    ):
        assert each.found.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("bridge", "bridge_ssl_certfile"),
        ("look-up", "worker_ssl_certfile"),
        ("look-up", "worker_ssl_cafile"),
        ("console", "console_ssl_certfile"),
    ],
)
def test_a_certificate_that_is_not_there_is_told(name: str, variable: str) -> None:
    problem = one(name, check_settings(settings(**{variable: "/nowhere.pem"})))
    assert problem.result is Result.FAILED
    assert problem.found.startswith(f"{variable.upper()}: cannot read /nowhere.pem")


def test_a_dry_run_is_told() -> None:
    checks = check_settings(settings(dry_run=True, disposition_code_id=None))
    assert results(checks) == {"settings": Result.OK, "dry run": Result.WARNING}


def test_a_code_that_counts_as_none_is_told() -> None:
    checks = check_settings(settings(genesys_api="conversations", wrap_up_none_codes="a,code-1"))
    assert results(checks) == {"settings": Result.FAILED}
    assert checks[0].found.startswith("WRAP_UP_NONE_CODES: ")


def test_a_method_that_needs_a_user_is_told() -> None:
    of_call = {"genesys_api": "conversations", "wrap_up_method": "call"}
    assert one("method", check_settings(settings(**of_call))).result is Result.FAILED
    with_user = check_settings(settings(**of_call, genesys_cloud_refresh_token="granted"))
    assert results(with_user) == {"settings": Result.OK}


def test_scopes_of_the_other_dialect_are_told() -> None:
    scopes = {"genesys_cloud_scopes": "interaction:read"}
    checks = check_settings(settings(genesys_api="conversations", **scopes))
    assert one("scopes", checks).result is Result.WARNING
    assert results(check_settings(settings(**scopes))) == {"settings": Result.OK}


@pytest.mark.parametrize(
    ("host", "name"),
    [("bridge_host", "bridge"), ("worker_host", "look-up"), ("console_host", "console")],
)
def test_an_open_port_without_a_key_is_told(host: str, name: str) -> None:
    assert one(name, check_settings(settings(**{host: "0.0.0.0"}))).result is Result.FAILED


def regions(**more: Any) -> Check:
    given = settings(**more)
    (check,) = check_regions(given, given.connection())
    return check


def test_the_orgs_region_and_the_queues_are_told_apart() -> None:
    queue = "https://sqs.eu-west-1.amazonaws.com/123456789012/events"
    check = regions(bridge_queue_url=queue)
    assert check.result is Result.OK
    assert "org is in eu-central-1 (api.mypurecloud.de)" in check.found
    assert "queue is in eu-west-1" in check.found
    assert "queue" not in regions().found


def test_api_and_login_of_two_regions_fail() -> None:
    check = regions(
        genesys_cloud_region=None,
        genesys_cloud_base_url="https://api.mypurecloud.ie",
        genesys_cloud_login_url="https://login.mypurecloud.de",
    )
    assert check.result is Result.FAILED
    assert "GENESYS_CLOUD_REGION" in str(check)


@pytest.mark.parametrize("host", ["http://127.0.0.1:8090", "https://api.example.org"])
def test_an_api_of_no_region_is_told(host: str) -> None:
    check = regions(genesys_cloud_region=None, genesys_cloud_base_url=host)
    assert check.result is Result.WARNING


@pytest.mark.parametrize(
    ("free", "result"),
    [(0, Result.FAILED), (2**30, Result.WARNING), (2**40, Result.OK)],
)
def test_the_disk(tmp_path: Path, free: int, result: Result) -> None:
    asked: list[Path] = []

    def space(path: Path) -> int:
        asked.append(path)
        return free

    assert check_disk(tmp_path / "not" / "there", space).result is result
    assert asked == [tmp_path]


def test_a_place_that_can_not_be_written_to_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert check_disk(tmp_path / "file" / "data").result is Result.FAILED
    assert check_disk(tmp_path).result in (Result.OK, Result.WARNING)
