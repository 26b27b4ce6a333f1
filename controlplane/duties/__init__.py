"""What the reconciler does in turn, forever."""
