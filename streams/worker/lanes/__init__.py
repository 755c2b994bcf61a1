"""Records on their way: one lane for each interaction, and a room for those that wait."""
