"""The screen as sentences, one below the other, for ears and dumb terminals; no escape sequence."""
