"""The second door: journals from many callers share one commit."""
