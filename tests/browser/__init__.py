"""The HTML report in a real Chromium: what it looks like, what it asks of the network, and whether it fits a phone."""
