"""What every command stands on: audit, idempotency, leases, inbox, dead letters, tokens."""
