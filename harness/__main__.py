"""`python -m harness`."""

import sys

if __name__ == "__main__":
    try:
        from harness.commands.cli import main

        main()
    except KeyboardInterrupt:  # while it imports: later, the command line answers it
        print("gradproof: interrupted; nothing was written", file=sys.stderr)
        sys.exit(130)
