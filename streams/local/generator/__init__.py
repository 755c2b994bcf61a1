"""Realistic interactions, and the events that Genesys Cloud would send of them."""
