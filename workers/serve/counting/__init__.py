"""Where a unit is counted, kept and told: a second's sums, ledger, journal, uplink, what killed boots have left."""
