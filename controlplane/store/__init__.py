"""Tables, migrations, and the one transaction that a command has."""
