"""Simulated trading at real market prices: orders, and the positions they open and close."""
