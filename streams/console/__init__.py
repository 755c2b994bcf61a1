"""The operator's page: what became of each interaction and why, and whether it is us or Genesys."""
