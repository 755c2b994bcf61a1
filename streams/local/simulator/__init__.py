"""A simulated Genesys Cloud for both dialects: same routes, headers and errors, with
faults on demand and counters that say what really took effect."""
