"""The command line, `topcoin`: one module for each area, brought together in `main`."""
