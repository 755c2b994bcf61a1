"""Conversations of a contact centre for the ``conversations`` dialect: their events, what GET shows
of them over time, and what must become of each leg."""
