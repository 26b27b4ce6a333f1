"""How long a process may take to stop after SIGTERM. Whoever sends it waits longer than whoever hears it may need."""

from typing import Final

API_DRAIN_SECONDS: Final = 5
"""Requests under way at the API get so long to end."""
UI_DRAIN_SECONDS: Final = 1
"""Live pages of the web UI have no end of their own, and browsers ask for them again."""
GATEWAY_DRAIN_SECONDS: Final = 10
"""Requests under way at a gateway get longer than the default deadline of an answer, or of a stream's first token."""
LAST_SECONDS: Final = 10
"""After its drain a process tells what it has done, waits for what it computes and closes its files."""
STOP_SECONDS: Final = max(API_DRAIN_SECONDS, GATEWAY_DRAIN_SECONDS) + LAST_SECONDS
"""SIGKILL comes so long after SIGTERM."""
