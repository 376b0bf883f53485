"""What holds for all tests."""

from __future__ import annotations

import signal

# A shell that starts a job in the background has it ignore Ctrl-C, and every process that a test starts would inherit
# that: the tests that interrupt a command would wait for ever. A handler of one's own is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
