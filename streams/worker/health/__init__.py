"""Whether the worker can do its job, what keeps it from it, and when it ends (promise 13)."""
