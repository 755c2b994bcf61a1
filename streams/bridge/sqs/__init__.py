"""EventBridge over a queue of Amazon SQS: a message is deleted once its event is in Kafka."""
