"""The rules of NumPy's functions and ufuncs, by kind."""
