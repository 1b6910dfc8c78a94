"""The console that the commands write to; it needs neither NumPy nor pandas."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text


class Screen(Console):
    """A console that leaves a closed pipe to the command, which knows what its exit code means."""

    def on_broken_pipe(self) -> None:
        """Called inside the handler of the error: pass it on."""
        raise

    def folded(self, words: str, by: int = 0, style: str = "", label: Text | None = None) -> None:
        """Text folded at words, every line of it indented; none ends in spaces, as a padded one would.

        A label stands before the first line, in the room of its indentation.
        """
        before = (label or Text()).copy()
        for line in Text(words, style=style).wrap(self, max(self.width - by, 1)):
            before.pad_right(by - before.cell_len)
            before.append_text(line).rstrip()
            self.print(before)
            before = Text()

    def below(self, lines: Iterable[str]) -> None:
        """What stands below a title, folded; but a command that is broken into lines cannot be pasted."""
        for line in lines:
            if line.startswith(("reproduce: ", "accept: ")):
                self.print(Text(f"    {line}"), soft_wrap=True)
            else:
                self.folded(line, 4)

    def mark(self, mark: str, plain: str) -> str:
        """A mark, or its plain form where only ASCII can be written."""
        return mark if self.encoding.startswith("utf") else plain
