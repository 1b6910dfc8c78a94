"""Rows: cells are planned, run in processes, timed, and kept in journals."""
