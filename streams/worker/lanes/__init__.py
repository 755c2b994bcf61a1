"""Records being worked on: a lane for each interaction, and the waiting room for records put
off."""
