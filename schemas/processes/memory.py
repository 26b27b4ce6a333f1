"""Python's garbage collector in processes that live long and answer quickly."""

import gc


def settle() -> None:
    """Call once, when everything is imported and built: no later collection looks through what is there now.

    A full one did, and the API answered nobody for 130 ms.
    """
    gc.collect()
    gc.freeze()
