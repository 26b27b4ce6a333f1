"""Which version answers a request, and what ends it."""
