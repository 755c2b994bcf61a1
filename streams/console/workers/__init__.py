"""The workers as they say of themselves, and whether it is us or Genesys Cloud."""
