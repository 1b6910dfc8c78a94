"""The documents' own numbers, reproduced; and their networks, learning."""
