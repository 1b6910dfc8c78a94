"""How accurate each function's gradient is, where, in which dtype, against last time."""
