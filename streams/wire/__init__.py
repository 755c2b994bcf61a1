"""The values and headers that other programs read and write in Kafka: writing and reading them."""
