"""What Kafka has, on disk, in the orders in which an operator asks for it."""
