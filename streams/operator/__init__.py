"""What an operator does with past records: redrive of dead letters, replay of events."""
