"""The embedded broker as a command of its own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from confluent_kafka.admin import AdminClient


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_its_first_line_says_where_it_is_until_it_is_stopped(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", "broker"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        name, _, servers = process.stdout.readline().strip().partition("=")
        assert name == "bootstrap.servers"
        cluster = AdminClient({"bootstrap.servers": servers}).list_topics("any", timeout=10)
        assert len(cluster.topics["any"].partitions) == 4
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, out) == (0, "")
    assert err.splitlines() == [
        "gone with all its records when this command ends; for the other commands: "
        f"export KAFKA_BOOTSTRAP_SERVERS={servers}"
    ]
