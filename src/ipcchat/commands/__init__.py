"""Commands typed on the screen, as rows without code: usage, help, arguments, role.

The rules of this file:

- A line that begins with a slash is a command or an error, never something said: a mistyped
  command must not show a room what was meant for the program, or for one person. `//` says a line
  with a slash.
- Names are not case-sensitive and are never guessed: a shortened one gets a suggestion.
- Role, arity and the form of names are checked here; whoever does the deed only does it.
- `parse` and `complete` are pure functions of what they are given.
"""

from ipcchat.commands.completion import Completion, complete
from ipcchat.commands.line import Invocation, Say, parse, seconds
from ipcchat.commands.rows import (
    COMMANDS,
    Argument,
    Command,
    OperatorsOnly,
    Role,
    find,
    help_table,
)

__all__ = [
    "COMMANDS",
    "Argument",
    "Command",
    "Completion",
    "Invocation",
    "OperatorsOnly",
    "Role",
    "Say",
    "complete",
    "find",
    "help_table",
    "parse",
    "seconds",
]
