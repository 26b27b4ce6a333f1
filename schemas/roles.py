"""The roles that a token may have."""

from typing import Literal

Role = Literal["viewer", "operator", "releaser", "auditor", "feedback", "worker", "gateway", "admin"]
