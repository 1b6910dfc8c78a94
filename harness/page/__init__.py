"""What people look at: one page that explains gradients, its charts, and what they are drawn from."""
