"""The frameworks: each is recorded, differentiated and run in one place."""
