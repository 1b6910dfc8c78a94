"""The exact oracle: programs of real arrays, enclosed by balls; README.md says what it guarantees."""
