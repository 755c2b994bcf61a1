"""One file for whoever helps: settings, versions, what Kafka and the workers say, the log's end.

Nothing in it is a secret.
"""
