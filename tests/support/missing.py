"""What this machine would need for a measurement and does not have."""


class Missing(Exception):
    """A part that this machine does not have; the message says what to install."""
