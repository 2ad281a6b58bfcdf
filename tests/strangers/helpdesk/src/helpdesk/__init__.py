"""Answers tickets with what was answered before."""
