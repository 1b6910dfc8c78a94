"""The one path from a question to its answer: record, prove, run, examine, judge, give the reason."""
