"""What the terminal is told and what it tells: frames, focus, title, bell; no key, no command."""
