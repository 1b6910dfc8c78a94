"""The fast core: programs as plans over pairs of doubles, run in C. See README.md beside this file."""
