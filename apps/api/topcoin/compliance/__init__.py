"""Compliance: alerts of the rules against money laundering, and what became of them."""
