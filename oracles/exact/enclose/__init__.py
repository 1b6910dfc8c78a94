"""Programs in ball arithmetic, as tight as asked."""
