"""What holds for every test."""

import signal

# A job that a shell starts in the background ignores Ctrl-C, and so would every command that the tests start and
# interrupt: an ignored signal is inherited, a handled one is not.
signal.signal(signal.SIGINT, signal.default_int_handler)
