"""Which partitions are ours, where they are read from, and how far they are finished."""
