"""What a gradient is checked at: arrays, one corpus of boundary values, points and strategies."""
