"""A connection that survives: profile, outbox, model of the rooms. It knows no screen or server."""
