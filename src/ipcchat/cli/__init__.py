"""Arguments, start, exit codes: where the parts become programs."""
