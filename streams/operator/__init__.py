"""What an operator does with what is past: dead letters sent back, events replayed."""
