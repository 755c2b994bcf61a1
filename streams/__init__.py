"""genesys-streams: every finished Genesys Cloud call gets its disposition code, once."""

__version__ = "0.2.0"
