"""Precision on code that nobody wrote for this purpose: ``make corpus`` (see docs/precision.md)."""
