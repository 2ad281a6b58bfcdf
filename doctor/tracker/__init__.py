"""The living tracker: ``rca.json`` is the truth, ``docs/RCA_TRACKER.md`` its rendering.

A run updates the issues; nothing that a person has written is ever overwritten, nothing of the history taken away.
"""
