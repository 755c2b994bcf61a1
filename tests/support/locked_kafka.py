"""A Kafka behind SASL_SSL with Kafka's own authoriser, and who may do what there.

The open port stays: whoever comes through it is ``User:ANONYMOUS``, who may do everything, as the
brokers among themselves are. Judges and administrators of a test take it; programs do not.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from pydantic import SecretStr

from streams.kafka.acls import Right
from streams.settings import Settings
from tests.support.authority import Authority
from tests.support.clusters import KafkaCluster, kafka_cluster
from tests.support.workers import environment

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "acls"

PASSWORD = "hush-4f7a"
PORT = "LOCKED"

# Kafka's least number of rounds.
ROUNDS = 4096
ANSWER_SECONDS = 20.0

_KINDS = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}

_VALUES = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "ssl.truststore.type": "PEM",
    f"listener.name.{PORT.lower()}.ssl.keystore.type": "PEM",
    f"listener.name.{PORT.lower()}.sasl.enabled.mechanisms": "SCRAM-SHA-512",
    f"listener.name.{PORT.lower()}.scram-sha-512.sasl.jaas.config": (
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    ),
}


@dataclass(frozen=True)
class LockedKafka:
    """The cluster, the CA of its certificates, and who administers it."""

    cluster: KafkaCluster
    authority: Authority
    admin: AdminClient

    def add_user(self, name: str) -> None:
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ROUNDS)
        change = UserScramCredentialUpsertion(name, info, PASSWORD.encode())
        self.admin.alter_user_scram_credentials([change])[name].result(ANSWER_SECONDS)

    def access(self, user: str) -> dict[str, Any]:
        """The settings with which a program comes in as this user, by their names."""
        return {
            "kafka_bootstrap_servers": self.cluster.listener(PORT),
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_mechanism": "SCRAM-SHA-512",
            "kafka_sasl_username": user,
            "kafka_sasl_password": SecretStr(PASSWORD),
            "kafka_ssl_cafile": self.authority.file,
        }

    def grant(self, user: str, granted: Iterable[Right]) -> None:
        answers = self.admin.create_acls([_binding(user, each) for each in granted])
        for answer in answers.values():
            answer.result(ANSWER_SECONDS)

    def grant_command(self, user: str, command: str, settings: Settings) -> None:
        """All that the command needs, and nothing else, by the script for administrators.
        ``settings``: an administrator's."""
        done = subprocess.run(
            [sys.executable, SCRIPT, command, "--principal", f"User:{user}", "--apply"],
            env=environment(settings),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"scripts/acls {command}: {done.stderr}"

    def revoke(self, user: str, right: Right) -> None:
        binding = _binding(user, right)
        this = AclBindingFilter(
            binding.restype,
            binding.name,
            binding.resource_pattern_type,
            binding.principal,
            binding.host,
            binding.operation,
            binding.permission_type,
        )
        (answer,) = self.admin.delete_acls([this]).values()
        assert len(answer.result(ANSWER_SECONDS)) == 1, f"{user} had no right to {right}"


def _binding(user: str, right: Right) -> AclBinding:
    return AclBinding(
        _KINDS[right.kind],
        right.name,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[right.operation.name],
        AclPermissionType.ALLOW,
    )


@contextmanager
def locked_kafka(home: Path, nodes: int, *, options: str = "") -> Iterator[LockedKafka]:
    """``options``: what the brokers' Java gets besides."""
    authority = Authority(home)
    certificate = authority.certificate("broker", hosts=("localhost",))
    values = _VALUES | {
        "ssl.truststore.location": str(authority.file),
        f"listener.name.{PORT.lower()}.ssl.keystore.location": str(certificate),
    }
    with kafka_cluster(
        home / "kafka", nodes, listeners={PORT: "SASL_SSL"}, values=values, options=options
    ) as cluster:
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers})
        yield LockedKafka(cluster, authority, admin)
