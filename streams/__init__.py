"""genesys-streams: every finished Genesys Cloud call gets its disposition code, once."""

__version__ = "0.1.0"
