"""Everything that changes the database, by room: each command is one transaction."""
