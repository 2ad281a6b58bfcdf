"""The drill: what a diagnosis said of sandboxes that were broken on purpose, and how often it was right."""
