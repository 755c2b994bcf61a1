from __future__ import annotations

import socket
from pathlib import Path

import pytest

from streams.local.demo.pipeline import HOST, demo_settings, free_ports
from streams.settings import Settings


def test_the_demo_reaches_its_own_kafka_whatever_the_caller_has_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    pristine = Settings.load(kafka_bootstrap_servers="127.0.0.1:1", _env_file=None)
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("TOPIC_PREFIX=mine.\nKAFKA_BOOTSTRAP_SERVERS=production:9092\n")
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "real")
    monkeypatch.setenv("APP_ID", "mine")
    assert demo_settings("127.0.0.1:1") == pristine


def test_free_ports_are_free_and_not_the_same() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    for port in ports:
        with socket.socket() as other:
            other.bind((HOST, port))
