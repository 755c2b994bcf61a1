"""EventBridge into Kafka: an event that is acknowledged to its sender is on the brokers."""
