"""Logging of the application: one line per event on standard error."""

from __future__ import annotations

import sys

from loguru import logger

from .settings import get_settings


def configure_logging() -> None:
    """Send log lines to standard error, without the values of variables in tracebacks: they may hold secrets."""
    logger.remove()
    logger.add(sys.stderr, level=get_settings().log_level.upper(), backtrace=False, diagnose=False)
