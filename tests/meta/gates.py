"""The gate as its users run it, in a folder of its own, in this process: quick, and easy to sabotage."""

import contextlib
import io
import os
import signal
import time
from dataclasses import dataclass

import msgspec

from harness.commands import gate as gate_command
from harness.commands.cli import run
from harness.runs import runner
from harness.runs.journal import Header
from harness.runs.record import from_json, to_json
from harness.runs.runner import oracles


@dataclass(frozen=True)
class Said:
    """What one command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def all(self):
        return " ".join(f"{self.out} {self.err}".split())


class Gates:
    """Commands on one baseline and one saved run, and ways to break what they run."""

    REST = ("--input", "ordinary", "--dtype", "float64")
    SCOPE = ("--case", "relu", "--case", "softmax", "--oracle", "numpy,torch", *REST)
    ROWS = tuple(f"{c}/{o}/float64/ordinary" for c in ("relu", "softmax") for o in ("numpy", "torch"))

    def __init__(self, folder, patch):
        self.folder, self.patch = folder, patch
        self.baseline, self.saved = folder / "baseline.json", folder / "run.jsonl"
        patch.setattr(gate_command, "PAUSE_S", 0.0)
        for name in ("CI", "GITHUB_STEP_SUMMARY"):
            patch.delenv(name, raising=False)
        for name in list(os.environ):
            if name.startswith("GRADPROOF_"):
                patch.delenv(name)

    def say(self, *tokens):
        """Run one command line."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([*map(str, tokens)])
        return Said(code, out.getvalue(), err.getvalue())

    def gate(self, *tokens, scope=SCOPE, jobs=0, timing="off"):
        """Run the gate; the last line says its exit code, and it is the one that it has."""
        options = {"--baseline": self.baseline, "--save": self.saved, "--jobs": jobs, "--timing": timing}
        given = [t for name, v in options.items() if v is not None and name not in tokens for t in (name, v)]
        said = self.say("gate", *scope, *given, *tokens)
        assert said.code in {0, 1, 2, 3}
        if "gate:" in said.all:
            assert f"(exit code {said.code})" in said.all
        return said

    def update(self, *tokens, reason="why"):
        """Update the baseline."""
        where = ("--baseline", self.baseline, "--jobs", 0)
        return self.say("baseline", "update", *tokens, *where, "--reason", reason)

    def ratio(self, *ratios, spread=1.01):
        """Let every row be timed at these ratios, one after the other; the last for all that follow."""
        coming = list(ratios)

        def times(case, oracle, cell):
            now = coming.pop(0) if len(coming) > 1 else coming[0]
            names = ("gradient_time_ratio", "gradient_time_ratio_low", "gradient_time_ratio_high")
            return dict(zip(names, (now, now / spread, now * spread), strict=True))

        self.patch.setattr(runner, "times", times)

    def oracle(self, name, oracle):
        """Put an oracle in the place of another; None takes it away."""
        found = {**oracles(), name: oracle}
        if oracle is None:
            del found[name]
        else:
            oracle.name = name
        for module in (runner, runner):
            self.patch.setattr(module, "oracles", lambda: found)

    def save(self, *records, header=True):
        """Write a saved run of this code on this machine."""
        lines = [msgspec.json.encode(Header.of_this_run())] if header else []
        self.saved.write_bytes(b"".join(line + b"\n" for line in [*lines, *map(to_json, records)]))

    def records(self):
        """The rows of the saved run."""
        return [from_json(line) for line in self.saved.read_bytes().splitlines()[1:]]

    def with_saved(self, change):
        """Change the rows of the saved run (a list)."""
        self.save(*change(self.records()))

    def edit(self, old, new):
        """Edit the baseline's text by hand, in one place."""
        text = self.baseline.read_text(encoding="utf-8")
        assert text.count(old) >= 1
        self.baseline.write_text(text.replace(old, new, 1), encoding="utf-8")


# Functions of a module, so that a worker process can import them.


def killed(cells, full):
    os.kill(os.getpid(), signal.SIGKILL)


def hung(cells, full):
    time.sleep(60)
