"""Imagined worlds through the product's own fold and decisions: what a policy would do, before it is trusted."""
