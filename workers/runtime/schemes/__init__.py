"""Where a source may lie: a module a URI scheme."""
