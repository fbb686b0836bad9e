"""Where the outside comes in: the command line, HTTP, streams, workers. Here, and only here, a unit of work commits."""
