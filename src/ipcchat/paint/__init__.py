"""What is said and who is there, as rows of styled text; no key, no connection, no terminal."""
