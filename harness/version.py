"""The distribution's version, apart so that the build reads it without importing the harness."""

__version__ = "0.1.0"
