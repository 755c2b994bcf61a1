"""EventBridge into Kafka: what is acknowledged to the sender is on the brokers."""
