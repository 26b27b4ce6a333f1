"""What a schema says of each field of a document that people write: for the reference and for the CLI's examples."""

import re
from typing import Final

UNIT: Final = re.compile(r"Unit: (.+)\.$")
"""How the sentence below a number ends; `none` for one that only counts or scales."""
UNITS_BY_NAME: Final = {"_seconds": "seconds", "_bytes": "bytes"}
"""Names that say it themselves."""
