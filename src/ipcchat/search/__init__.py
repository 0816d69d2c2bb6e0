"""Finds what was said. It knows no wire and no rights: who asks says what may be found."""
