"""The outside systems of the target, one module each: opened lazily, calls with deadlines, every text redacted."""
