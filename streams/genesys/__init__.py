"""Genesys Cloud's API: token, client, retries, one module per dialect."""
