"""Looks whether everything that bridges and workers need is there, and says what to do where it is
not."""
