"""The pure core of ``GENESYS_API=conversations``: looks at a conversation, and decides its legs."""
