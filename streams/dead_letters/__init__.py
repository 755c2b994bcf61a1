"""What could not be handled: read from its topic, and sent back."""
