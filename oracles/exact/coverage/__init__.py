"""What the exact oracle covers of each framework."""
