"""Judges whether the worker can do its job, why it can not, and when it ends (promise 13)."""
