"""How sure a finding is: proportions with their intervals, and two versions on the same rows."""
