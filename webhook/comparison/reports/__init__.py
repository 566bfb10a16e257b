"""How a comparison is written: a table, a unified diff, JSON."""
