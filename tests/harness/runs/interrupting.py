"""Run work over a process, with Ctrl-C as the N-th function of `threading`, or of its users, returns.

`python -m tests.harness.runs.interrupting N...` says of each N what came; where nothing does, it ends with 1.
"""

import concurrent.futures
import faulthandler
import queue
import signal
import sys
import threading

from harness.runs.workers import Workers, spread
from tests.harness.runs.treacherous import batches, job, square

LOCKING = {threading.__file__, queue.__file__, concurrent.futures._base.__file__}
LIMIT_S = 20


def interrupted_at(last):
    left = last

    def trace(frame, event, _):
        nonlocal left
        if event == "return" and frame.f_code.co_filename in LOCKING:
            left -= 1
            if left == 0:
                sys.settrace(None)
                signal.raise_signal(signal.SIGINT)
        return trace

    try:
        sys.settrace(trace)
        found = list(spread(job(square), batches(3), Workers(1)))
    except KeyboardInterrupt:
        return "interrupted"
    finally:
        sys.settrace(None)
    return f"{len(found)} results, {last - left} returns"


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in map(int, sys.argv[1:]):
        faulthandler.dump_traceback_later(LIMIT_S, exit=True)
        print(number, interrupted_at(number), flush=True)
