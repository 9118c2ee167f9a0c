"""SQL, and only SQL."""
