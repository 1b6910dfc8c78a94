"""What every test needs."""

import gc

# Millions of objects, of JAX and of the tests, live until the end: looking through them often wastes time.
gc.set_threshold(20_000, 20, 100)
