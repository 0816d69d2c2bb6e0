"""`python -m ipcchat server|client …`: the two programs without their own names."""

import sys

from ipcchat.errors import EXIT_OK, EXIT_USAGE


def main() -> int:
    """Runs the program that is named first."""
    program = sys.argv[1] if len(sys.argv) > 1 else ""
    arguments = sys.argv[2:]
    if program == "server":
        from ipcchat.cli import server

        return server.main(arguments)
    if program == "client":
        from ipcchat.cli import client

        return client.main(arguments)
    asked = program in ("-h", "--help")
    print("usage: python -m ipcchat server|client …", file=sys.stdout if asked else sys.stderr)
    return EXIT_OK if asked else EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
