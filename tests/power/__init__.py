"""What is caught and what is not, measured: `make power` writes reports/power.md and power.csv.

`faults` holds re-created public bugs, `checkers` everything that is asked about them.
"""
