"""Arrays as adapter files and graphs hold them."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Logits = Floats
"""A row for each text, a column for each of the version's labels."""
