"""Secrets that open something to whoever bears them: made, recognised, never kept."""
