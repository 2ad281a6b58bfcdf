"""What can go wrong with a sandbox; every message says what to do.

SandboxError
├── NotASandboxError      the folder is not one, or belongs to something else
├── NotRunningError       the command needs processes that are not there
├── StartError            a process did not come up; the end of its log is in the message
├── BinaryMissingError    a server program cannot be found
├── DeadlineError         something did not happen in time
└── UnknownNameError      no fault or service of that name
"""

from __future__ import annotations


class SandboxError(Exception):
    """Base of all errors of the sandbox."""


class NotASandboxError(SandboxError):
    """The folder is not a sandbox, or holds something that must not be overwritten."""


class NotRunningError(SandboxError):
    """The sandbox is not up."""


class StartError(SandboxError):
    """A process of the sandbox did not come up."""


class BinaryMissingError(SandboxError):
    """A server program cannot be found or cannot be run here."""


class DeadlineError(SandboxError):
    """What was waited for did not happen in time."""


class UnknownNameError(SandboxError):
    """There is no fault or service of that name."""
