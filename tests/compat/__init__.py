"""The versions that are supported: `make compat` builds an environment of each and runs `suite.py` there."""
