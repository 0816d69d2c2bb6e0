"""Scripts that measure; each is bounded in time and ends with one JSON line."""
