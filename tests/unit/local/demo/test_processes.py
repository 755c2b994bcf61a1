from __future__ import annotations

import os
from pathlib import Path

import streams
from streams.local.demo.processes import environment

PACKAGE = str(Path(streams.__file__).parents[1])


def test_a_part_sees_its_own_settings_and_of_the_callers_where_telemetry_goes() -> None:
    caller = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "KAFKA_BOOTSTRAP_SERVERS": "production:9092",
        "GENESYS_CLOUD_CLIENT_SECRET": "real",
        "DRY_RUN": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector",
    }
    assert environment(caller, {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}) == {
        "PATH": "/bin",
        "HOME": "/home/me",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector",
        "PYTHONPATH": PACKAGE,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    }


def test_a_part_finds_this_package_before_any_other() -> None:
    path = environment({"PYTHONPATH": "/elsewhere"}, {})["PYTHONPATH"]
    assert path == f"{PACKAGE}{os.pathsep}/elsewhere"
