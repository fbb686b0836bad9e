"""PostgreSQL: the embedded server, connections, the unit of work, privileges, and the conventions of tables."""
