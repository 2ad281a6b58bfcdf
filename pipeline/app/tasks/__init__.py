"""The tasks of the chain. Importing this package registers all of them with the broker."""

from . import embedding, extraction, ingestion, scoring

__all__ = ["embedding", "extraction", "ingestion", "scoring"]
