"""How facts travel: over Kafka, or from the database's own log."""
