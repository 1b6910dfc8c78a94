"""What a notebook shows of an enclosure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

ROWS, COLUMNS = 12, 6


def table(shape: tuple[int, ...], texts: Sequence[str], digits: float, kinks: Sequence[str]) -> str:
    """The first elements in rows and columns, and how many digits are proven.

    Args:
        shape: The enclosure's.
        texts: Its first elements.
        digits: How many decimal digits of each element are proven, at the least; infinite for none.
        kinks: Where the point lies on a kink.
    """
    width = max(shape[-1] if shape else 1, 1)
    rows = [texts[k : k + width] for k in range(0, len(texts), width)][:ROWS]
    lines = []
    for row in rows:
        cells = [f"<td>{escape(text)}</td>" for text in row[:COLUMNS]]
        lines.append(f"<tr>{''.join(cells)}{'<td>…</td>' if width > COLUMNS else ''}</tr>")
    count = math.prod(shape)
    shown = sum(len(row[:COLUMNS]) for row in rows)
    said = [f"shape {shape}"]
    said += [f"at least {digits:.0f} digits of each element are proven"] if math.isfinite(digits) else []
    said += [f"at a kink: {', '.join(kinks)}"] if kinks else []
    said += [f"{shown} of {count} elements"] if shown < count else []
    body = f'<div style="overflow-x: auto"><table>{"".join(lines)}</table></div>'
    return f"<p><b>Enclosure</b>: {escape('; '.join(said))}</p>{body}"
