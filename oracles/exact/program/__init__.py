"""Programs: the primitives with their facts, and what needs no front end."""
