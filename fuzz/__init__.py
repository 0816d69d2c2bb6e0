"""Fuzzing with nothing but the standard library's chance: `python -m fuzz --help`.

One target a file; each opens with its invariant. Everything follows from the seed.
"""
