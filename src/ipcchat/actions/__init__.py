"""What the commands do, whatever they are typed into; no key, no terminal."""
