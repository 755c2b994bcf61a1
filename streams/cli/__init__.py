"""The ``genesys-streams`` command: one module per group of commands."""
