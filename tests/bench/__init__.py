"""Measurements of the budgets, printed as ratios within one run; never a test, because machines are noisy."""
