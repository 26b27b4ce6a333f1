"""The web UI: a client of the API like any other. It has no database, no privilege and no rule that the API lacks."""
