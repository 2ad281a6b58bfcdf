"""Reads logs: lines become records, records become groups, groups become issues. Streaming, in bounded memory.

Each module is one step of that way: ``inputs`` → ``lines`` → ``compose`` → ``formats`` and ``records`` → ``masking``
(behind which nothing is kept that has not been redacted) → ``grouping`` → ``tally`` → ``summary``.
"""
