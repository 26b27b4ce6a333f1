"""Where a unit is counted, kept and told: ledger, journal, uplink."""
