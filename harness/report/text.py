"""Tables for a terminal: as many columns as fit, none of them cut, colour and a mark for every outcome."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from harness.report.problems import problem_texts
from harness.report.screen import Screen
from harness.report.table import Table
from harness.verdicts.outcome import Outcome
from harness.verdicts.verdict import Verdict

HEADINGS = {
    "max_abs_error": "abs error",
    "error_estimate": "estimate",
    "gradient_time_s": "gradient s",
    "value_time_s": "value s",
    "first_call_time_s": "first call s",
    "gradient_time_ratio": "ratio",
    "gradient_time_ratio_low": "low",
    "gradient_time_ratio_high": "high",
    "value_time_ratio": "value ratio",
    "held_out_accuracy": "accuracy",
    "max_loss_difference": "loss diff",
    "max_parameter_difference": "param diff",
    "ours_time_s": "ours s",
    "other_time_s": "other s",
    "ratio_low": "low",
    "ratio_high": "high",
    "wanted_ratio": "wanted",
    "time_s": "time s",
    "first_loss": "first loss",
    "last_loss": "last loss",
}
FIXED = {
    "ratio",
    "digits",
    "gradient_time_ratio",
    "gradient_time_ratio_low",
    "gradient_time_ratio_high",
    "value_time_ratio",
    "first_loss",
    "last_loss",
    "held_out_accuracy",
    "wanted_ratio",
    "ratio_low",
    "ratio_high",
}
# Words: folded at the screen's edge, never cut. The number is the least width at which that can be read.
WRAPPED = {
    "input": 10,
    "diagnosis": 60,
    **dict.fromkeys(("reason", "note", "documented", "ours", "proven", "other"), 17),
    **dict.fromkeys(("inputs", "not_differentiable", "source", "what"), 17),
}
RIGHT_ALIGNED = ("_s", "_difference", "_error", "_estimate", "_ulp", "bits_lost")
SHORT = {"bits_lost", "error_ulp", "attainable_ulp", "bound_ulp"}
YES_NO = {"equal", "met", "ready", "decides"}


def print_table(console: Screen, table: Table) -> None:
    """One table with its title and caption; where a column does not fit, the caption says where it is."""
    if table.name == "problems":
        print_problems(console, table)
        return
    cells = {name: [_cell(name, value, console) for value in table.frame[name]] for name in table.columns}
    cells = {name: column for name, column in cells.items() if any(text.plain for text in column)}
    shown = _fitting(cells, console.width)
    drawn = RichTable(box=None, padding=(0, 1, 0, 0))
    for name in shown:
        counts = table.frame[name].dtype.kind == "i"
        numeric = counts or name in FIXED or name.endswith(RIGHT_ALIGNED)
        drawn.add_column(
            HEADINGS.get(name, name),
            justify="right" if numeric else "left",
            no_wrap=name not in WRAPPED,
            overflow="fold",
        )
    for row in zip(*(cells[name] for name in shown), strict=True):
        drawn.add_row(*row)
    console.print(Text(table.title, style="bold"))
    console.print(drawn)
    hidden = [HEADINGS.get(name, name) for name in cells if name not in shown]
    caption = table.caption
    if hidden:
        caption = f"{caption}{'; ' if caption else ''}a wider screen also shows: {', '.join(hidden)}"
    if caption:
        console.print(Text(caption, style="dim"))
    console.print()


def print_problems(console: Screen, table: Table) -> None:
    """The rows that are not simply right, each in full: text, since nothing of it may be cut."""
    console.print(Text(table.title, style="bold"))
    for outcome, text in problem_texts(table.frame):
        title, *rest = text.splitlines()
        console.print(_marked(outcome, title, console))
        for line in rest:
            # A command that is broken into lines cannot be pasted: the terminal may wrap it, we do not.
            if line.lstrip().startswith("reproduce: "):
                console.print(Text(f"  {line}"), soft_wrap=True)
            else:
                console.folded(line.strip(), 4)
    console.print(Text(table.caption, style="dim"))
    console.print()


def _marked(outcome: Outcome, text: str, console: Console) -> Text:
    """A mark that needs no colour, and the text in the outcome's colour."""
    mark, plain = outcome.marks
    return Text(f"{mark if console.encoding.startswith('utf') else plain} {text}", style=outcome.style)


def _cell(name: str, value: object, console: Console) -> Text:
    if isinstance(value, Outcome):
        return _marked(value, value, console)
    if isinstance(value, Verdict):
        return Text(value, style=value.style)
    if name in YES_NO:
        return Text("yes", style="green") if value else Text("NO", style="bold red")
    if value is None:
        return Text("")
    if isinstance(value, float):
        return Text(f"{value:.4g}" if name in FIXED else f"{value:.3g}" if name in SHORT else f"{value:.1e}")
    return Text(str(value))


def _fitting(cells: dict[str, list[Text]], width: int) -> list[str]:
    """The first columns that fit side by side; a column of words needs little, since it folds.

    The name of an input folds only where it must.
    """
    shown: list[str] = []
    used = 0
    for name, column in cells.items():
        widest = max([len(HEADINGS.get(name, name)), *(len(text.plain) for text in column)])
        least = min(widest, WRAPPED.get(name, widest))
        needed = max(least, min(widest, width - used - 1)) if name == "input" else least
        if shown and used + needed + 1 > width:
            continue
        shown.append(name)
        used += needed + 1
    return shown
