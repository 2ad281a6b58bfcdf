"""Doctor: diagnoses, repairs and proves LLM knowledge pipelines from the outside."""

__version__ = "0.1.0"
