"""API keys: what programs sign in with, limited to scopes and to a time."""
