"""What holds for all tests."""

import atexit
import os
import shutil
import signal
import tempfile

# Programs that are started from here must hear Ctrl+C, also where a script has put the tests
# themselves into the background, with SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What clients keep of servers is kept elsewhere than the user's: a port that a test was given may
# be known there by a certificate.
_STATE = tempfile.mkdtemp(prefix="ipcchat-tests-")
os.environ["XDG_STATE_HOME"] = _STATE
atexit.register(shutil.rmtree, _STATE, ignore_errors=True)

# Where Python is told to keep nothing that it compiles, each of the hundreds of programs that are
# started here would compile all of ours again.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    os.environ["PYTHONPYCACHEPREFIX"] = f"{_STATE}/compiled"
