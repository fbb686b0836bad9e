"""Passwords: hashed and checked, a few at a time and never on the event loop."""
