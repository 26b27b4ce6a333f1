"""Facts from the transport to the commands that they cause."""
