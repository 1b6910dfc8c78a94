"""What a question is about: a function of arrays, the derivative meant, and the one under test."""
