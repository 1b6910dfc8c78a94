"""The search for the input at which a gradient is worst; it is shrunk, kept, and printed as code."""
