"""What is no regression, and must be green: noise, other machines, other orders, and better results."""
