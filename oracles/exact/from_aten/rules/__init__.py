"""The rules of ATen's operators, by kind."""
