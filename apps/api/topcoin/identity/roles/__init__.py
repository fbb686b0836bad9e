"""The roles of the staff."""
