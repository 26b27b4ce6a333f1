"""One version of several, in the space of their factors."""
