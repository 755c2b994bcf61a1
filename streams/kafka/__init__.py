"""Kafka as this program uses it: connections, an acknowledged publisher, the declared topics."""
