"""The words for what is found: verdicts, outcomes, exit codes, and what each means."""
