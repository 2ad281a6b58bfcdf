"""The patient: a runnable knowledge pipeline (``app/``), and the sandbox that runs it with real servers."""
