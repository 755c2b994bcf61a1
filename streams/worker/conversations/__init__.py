"""The work on the events of conversations, and on the looks at them."""
