"""Values that could not work are refused by name, before anything is installed."""

from __future__ import annotations

import pytest

from tests.helm.matrix import AUTOSCALED
from tests.support.chart import Chart, Document, Refused, overlaid


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"image": {"repository": ""}}, "image.repository"),
        ({"settings": {"KAFKA_BOOTSTRAP_SERVERS": None}}, "KAFKA_BOOTSTRAP_SERVERS"),
        ({"worker": {"settings": {"GENESYS_CLOUD_BASE_URL": None}}}, "GENESYS_CLOUD_BASE_URL"),
        ({"worker": {"settings": {"DISPOSITION_CODE_ID": None}}}, "DISPOSITION_CODE_ID"),
        ({"worker": {"secrets": {"GENESYS_CLOUD_CLIENT_ID": None}}}, "GENESYS_CLOUD_CLIENT_ID"),
        (
            {"worker": {"secrets": {"GENESYS_CLOUD_CLIENT_SECRET": None}}},
            "GENESYS_CLOUD_CLIENT_SECRET",
        ),
        ({"worker": {"secrets": {"WORKER_API_KEY": None}}}, "WORKER_API_KEY"),
        ({"bridge": {"http": {"secrets": {"BRIDGE_API_KEY": None}}}}, "BRIDGE_API_KEY"),
        ({"kafkaTls": {"secret": "kafka-tls"}}, "KAFKA_SECURITY_PROTOCOL"),
        ({"bridge": {"http": {"ingress": {"enabled": True}}}}, "bridge.http.ingress.host"),
        ({"bridge": {"sqs": {"enabled": True}}}, "bridge.sqs.queueUrl"),
        ({"console": {"enabled": True}}, "console.secrets.CONSOLE_API_KEY"),
        ({"console": {"replicas": 2}}, "replicas"),
        ({"console": {"settings": {"CONSOLE_PORT": 80}}}, "CONSOLE_PORT"),
        ({"worker": {"autoscaling": {"threshold": 22200}}}, "threshold"),
        (overlaid(AUTOSCALED, {"worker": {"autoscaling": {"serverAddress": ""}}}), "serverAddress"),
        ({"worker": {"replicas": 13}}, "topics.partitions"),
        (overlaid(AUTOSCALED, {"worker": {"autoscaling": {"minReplicas": 13}}}), "minReplicas"),
        ({"worker": {"settings": {"KAFKA_SESSION_TIMEOUT_SECONDS": 60}}}, "must be below 60"),
        ({"settings": {"DRY_RUN": "maybe"}}, "DRY_RUN"),
        ({"settings": {"DURATON_THRESHOLD_MS": 1}}, "DURATON_THRESHOLD_MS"),
        ({"settings": {"MAX_IN_FLIGHT": "many"}}, "MAX_IN_FLIGHT"),
        ({"worker": {"settings": {"WORKER_INSTANCE_ID": "mine"}}}, "WORKER_INSTANCE_ID"),
        ({"worker": {"secrets": {"WORKER_PORT": {"name": "a", "key": "b"}}}}, "WORKER_PORT"),
        ({"secrets": {"LOG_FORMAT": {"name": "a", "key": "b"}}}, "LOG_FORMAT"),
        ({"secrets": {"KAFKA_SASL_PASSWORD": {"name": "kafka"}}}, "KAFKA_SASL_PASSWORD"),
        ({"workers": {}}, "workers"),
        ({"worker": {"terminationGracePeriodSeconds": 5}}, "terminationGracePeriodSeconds"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_is_refused_by_name(chart: Chart, values: Document, named: str) -> None:
    with pytest.raises(Refused) as refused:
        chart.render(values)
    assert named in str(refused.value)
