"""Pages of what is ordered by its id, the newest first."""
