"""Apache Kafka for tests: clusters of ``scripts/kafka``, whose nodes can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "kafka"

# What scripts/kafka exits with when Java or Maven is missing.
MISSING = 69

# How long a cluster whose nodes run may take until it answers a client; as long as scripts/kafka
# gives a node to start.
ANSWER_SECONDS = 120.0

# One question to one node, and the pause before the next round.
ASK_SECONDS = 5.0
POLL_SECONDS = 0.1

# Of each node's log, for a test's failure: enough for the exception that stopped it.
LOG_LINES = 30


class RunningKafka:
    """An Apache Kafka that is up. ``bootstrap_servers``: ``HOST:PORT,...``."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers


class KafkaCluster(RunningKafka):
    """A cluster of the test run's own, in its own directory, up once it was told ``up``. Nodes are
    numbered from 1. Arguments: see ``kafka_cluster``; ``advertised``: of listeners, the host that
    others are told to come to, on the node's port."""

    def __init__(
        self,
        home: Path,
        nodes: int,
        listeners: Mapping[str, str],
        values: Mapping[str, str] = MappingProxyType({}),
        options: str = "",
        *,
        advertised: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.home, self.nodes = home, nodes
        self._options = options
        more = [f"--listener={name}={protocol}" for name, protocol in listeners.items()]
        more += [f"--advertise={name}={host}" for name, host in advertised.items()]
        more += [f"--set={name}={value}" for name, value in values.items()]
        prepared = self._run("prepare", "--nodes", str(nodes), *more)
        super().__init__(prepared.partition("=")[2].strip())

    def up(self) -> None:
        """Start the nodes that do not run, and wait for all of them."""
        self._run("up")

    def listener(self, name: str) -> str:
        """``HOST:PORT,...`` of a listener, as the nodes listen."""
        return self._run("bootstrap", "--listener", name).strip()

    def kill(self, node: int) -> None:
        """kill -9, and wait until it is gone."""
        self._run("kill", str(node))

    def stop(self) -> None:
        """Cleanly, all nodes. After a kill they would look through their files when they start, and
        cut off what is corrupt. ``heal`` brings them back."""
        self._run("down")

    def data(self, node: int) -> Path:
        """Where a node keeps its partitions."""
        return self.home / f"node-{node}" / "data"

    def start(self, node: int) -> None:
        """Bring a node back with its data, and wait until it serves."""
        self._run("start", str(node))

    def freeze(self, node: int) -> None:
        """SIGSTOP: it holds its connections and answers nothing."""
        os.kill(self._pid(node), signal.SIGSTOP)

    def thaw(self, node: int) -> None:
        os.kill(self._pid(node), signal.SIGCONT)

    def heal(self) -> None:
        """Start the nodes that are down, and wait until each node answers and names all of them.

        ``scripts/kafka`` waits only for nodes that it starts itself. A node that a test has frozen
        runs as soon as it is thawed, whether or not it answers yet.
        """
        self.up()
        deadline = time.monotonic() + ANSWER_SECONDS
        while trouble := self._trouble():
            if time.monotonic() > deadline:
                pytest.fail(f"{trouble}\n{self._logged()}")
            time.sleep(POLL_SECONDS)

    def _trouble(self) -> str | None:
        """What the first node answers that is not as it should be; None when there is none."""
        for server in self.bootstrap_servers.split(","):
            client = AdminClient({"bootstrap.servers": server})
            try:
                named = len(client.list_topics(timeout=ASK_SECONDS).brokers)
            except KafkaException as exc:
                return f"{server} gives no answer: {exc}"
            if named != self.nodes:
                return f"{server} knows of {named} nodes, not {self.nodes}"
        return None

    def delete(self) -> None:
        self._run("down", "--delete")

    def _logged(self) -> str:
        """What each node logged last."""
        logs = sorted(self.home.glob("node-*/broker.log"))
        return "\n".join(
            f"{log.parent.name}: {line}"
            for log in logs
            for line in log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        )

    def _pid(self, node: int) -> int:
        return int((self.home / f"node-{node}" / "pid").read_text())

    def _run(self, command: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, SCRIPT, command, "--dir", self.home, *arguments],
            env=os.environ | ({"KAFKA_OPTS": self._options} if self._options else {}),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == MISSING and os.environ.get("CI") != "true":
            pytest.skip(f"no Apache Kafka here: {done.stderr.strip()}")
        assert done.returncode == 0, f"scripts/kafka {command}: {done.stderr}"
        return done.stdout


@contextmanager
def kafka_cluster(
    home: Path,
    nodes: int,
    *,
    listeners: Mapping[str, str] = MappingProxyType({}),
    values: Mapping[str, str] = MappingProxyType({}),
    options: str = "",
) -> Iterator[KafkaCluster]:
    """A cluster that is gone afterwards. Without Java or Maven: skipped, but not in CI.

    ``listeners``: ports that each node has besides, with their protocols. ``values``: of the
    broker's own settings. ``options``: of its Java.
    """
    cluster = KafkaCluster(home, nodes, listeners, values, options)
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.delete()
