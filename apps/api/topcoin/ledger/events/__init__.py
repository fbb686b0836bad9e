"""The catalogue of events: for each, the one function that composes its journal."""
