"""Deployments, the generations that gateways apply, and what gateways tell."""
