"""What holds for all tests."""

import signal

# Programs that are started from here must hear Ctrl+C, also where a script has put the tests
# themselves into the background, with SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
