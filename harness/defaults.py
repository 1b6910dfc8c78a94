"""Defaults that the command line shows and several modules need."""

from pathlib import Path

BASELINE = Path("reports/baseline.json")
SAVED = Path("reports/run.jsonl")
TIMEOUT_S = 300.0
