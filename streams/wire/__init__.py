"""What other programs read and write in Kafka: values and headers, in both directions."""
