"""The target's Python, parsed and never imported: one pass over the files yields facts, checks query the facts."""
