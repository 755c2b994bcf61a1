"""All that happened to one interaction, and why, from what is in Kafka."""
