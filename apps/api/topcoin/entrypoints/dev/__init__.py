"""`topcoin dev`: everything that an installation is made of, started, watched and stopped by one command."""
