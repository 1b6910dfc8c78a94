"""How a file is written: whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Write text in place of what a file holds; whatever happens meanwhile, the old or the new text is there.

    A link stays one, and a device gets the text as it is.

    Raises:
        OSError: It cannot be written; what the file held stays.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    beside = path.with_name(f"{path.name}.{os.getpid()}.partial")  # two processes write two
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # a machine that stops at once has the old text or the new
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
