"""The shapes that a change takes, whatever method has trained it."""
