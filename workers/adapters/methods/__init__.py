"""How a form is set up and trained: a module a method."""
