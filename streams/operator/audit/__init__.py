"""The promises held against the topics as they are (``genesys-streams audit``)."""
