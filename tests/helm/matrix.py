"""Values to render the chart with, each laid over those that have to be set."""

from __future__ import annotations

from tests.support.chart import Document, overlaid

POD: Document = {
    "podAnnotations": {"example.com/team": "calls"},
    "podLabels": {"team": "calls"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "calls", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 1,
                    "podAffinityTerm": {
                        "topologyKey": "kubernetes.io/hostname",
                        "labelSelector": {"matchLabels": {"team": "calls"}},
                    },
                }
            ]
        }
    },
    "priorityClassName": "calls",
}

OWN_ACCOUNT: Document = {"create": False, "name": "calls"}

SQS: Document = {
    "bridge": {
        "sqs": {
            "enabled": True,
            "queueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/events",
            "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:r"}},
        }
    }
}

CONSOLE: Document = {
    "console": {
        "enabled": True,
        "secrets": {"CONSOLE_API_KEY": {"name": "genesys-streams-console", "key": "api-key"}},
    }
}

CONSOLE_KEPT: Document = {
    "console": {
        **CONSOLE["console"],
        "persistence": {"enabled": True, "storageClassName": "fast", "size": "20Gi"},
        "podDisruptionBudget": {"enabled": True},
        "topologySpread": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
            }
        ],
        "service": {"annotations": {"example.com/a": "b"}},
    },
    "networkPolicy": {
        "consoleFrom": [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "i"}}}
        ]
    },
}

AUTOSCALED: Document = {
    "worker": {
        "autoscaling": {
            "enabled": True,
            "serverAddress": "http://prometheus.monitoring.svc:9090",
            "authenticationRef": {"name": "prometheus", "kind": "ClusterTriggerAuthentication"},
        }
    }
}

KAFKA_LOCKED: Document = {
    "settings": {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka-1.example.com:9093, kafka-2.example.com:9093",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    },
    "secrets": {
        "KAFKA_SASL_USERNAME": {"name": "kafka", "key": "username"},
        "KAFKA_SASL_PASSWORD": {"name": "kafka", "key": "password"},
    },
}

KAFKA_TLS: Document = {
    "settings": {"KAFKA_SECURITY_PROTOCOL": "SSL"},
    "kafkaTls": {"secret": "kafka-tls", "certificate": "tls.crt", "key": "tls.key"},
}

INGRESS: Document = {
    "bridge": {
        "http": {
            "service": {"annotations": {"example.com/a": "b"}},
            "ingress": {
                "enabled": True,
                "className": "nginx",
                "host": "events.example.com",
                "tlsSecret": "events-tls",
                "annotations": {"example.com/a": "b"},
            },
        }
    }
}

MONITORED: Document = {
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {
        "enabled": True,
        "labels": {"release": "prometheus"},
        "runbook": "https://example.com/runbook",
    },
    "dashboards": {"enabled": True, "labels": {"folder": "calls"}},
}

DECLARED: Document = {"topics": {"declaration": {"configMap": "our-topics"}}}

NETWORK: Document = {
    "networkPolicy": {
        "bridgeFrom": [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "i"}}}
        ],
        "kafkaTo": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
        "kafkaPorts": [9096],
        "httpsPorts": [443, 3128],
        "extraEgress": [{"ports": [{"port": 4318}]}],
    }
}

# What is switched on by itself, switched off.
OFF: dict[str, Document] = {
    "no topics": {"topics": {"apply": False}},
    "no bridge": {"bridge": {"http": {"enabled": False}}},
    "no volume": {"worker": {"persistence": {"enabled": False}}},
    "no policy": {"networkPolicy": {"enabled": False}},
    "no budget": {"worker": {"podDisruptionBudget": {"enabled": False}}},
    "no spread": {"worker": {"topologySpread": []}},
    "no wait": {"bridge": {"http": {"preStopSeconds": 0}}, "console": {"preStopSeconds": 0}},
    "no metrics": {"networkPolicy": {"metricsFrom": []}},
    "accounts that are there": {
        "worker": {"serviceAccount": OWN_ACCOUNT},
        "bridge": {"http": {"serviceAccount": OWN_ACCOUNT}},
        "console": {"serviceAccount": OWN_ACCOUNT},
    },
}

# What is switched off by itself, switched on.
ON: dict[str, Document] = {
    "sqs": SQS,
    "console": CONSOLE,
    "console kept": CONSOLE_KEPT,
    "autoscaled": AUTOSCALED,
    "kafka over TLS": KAFKA_TLS,
    "kafka locked": KAFKA_LOCKED,
    "ingress": INGRESS,
    "monitored": MONITORED,
    "declared": DECLARED,
    "network": NETWORK,
    "dry run": {"worker": {"settings": {"DRY_RUN": True, "DISPOSITION_CODE_ID": None}}},
    "region": {
        "worker": {
            "settings": {"GENESYS_CLOUD_REGION": "eu-central-1", "GENESYS_CLOUD_BASE_URL": None}
        }
    },
    "named": {"fullnameOverride": "a" * 40, "nameOverride": "b" * 40},
    "image": {
        "image": {"digest": f"sha256:{'0' * 64}", "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "registry"}],
    },
    "pods": {"worker": POD, "topics": POD, "bridge": {"http": POD, "sqs": POD}, "console": POD},
    "storage": {
        "worker": {
            "persistence": {"storageClassName": "fast", "whenDeleted": "Delete", "size": "20Gi"}
        }
    },
}

EVERYTHING: Document = overlaid(*ON.values())

MATRIX: dict[str, tuple[Document, ...]] = {
    "least": (),
    "everything": (EVERYTHING,),
    **{name: (values,) for name, values in (ON | OFF).items()},
    "everything off": (overlaid(*OFF.values()),),
    "both": (EVERYTHING, *OFF.values()),
}
