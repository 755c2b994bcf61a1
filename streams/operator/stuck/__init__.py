"""What waits longest, told by all workers of the group and by Kafka."""
