"""What XLA compiles, kept in a folder for as long as a run lasts: each of its processes compiles the same.

JAX compiles an operation for each dtype and size in some 40 ms, and anew in each process; what the folder
has takes 8 ms. It is the same machine code.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

FOLDER = "JAX_COMPILATION_CACHE_DIR"
SETTINGS = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}


@contextmanager
def compiled_once() -> Iterator[None]:
    """Have the processes that start inside keep what they compile; a folder that the user has named stays."""
    if FOLDER in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        own = {FOLDER: folder, **{k: v for k, v in SETTINGS.items() if k not in os.environ}}
        os.environ.update(own)
        try:
            yield
        finally:
            for name in own:
                os.environ.pop(name, None)  # what runs inside may have cleared it
