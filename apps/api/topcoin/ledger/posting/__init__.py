"""Posting: journals in, entries out, through two doors with one core."""
