"""The faults of the casebook, one module each, with a ``FAULT`` in it. A new file here is a new fault."""
