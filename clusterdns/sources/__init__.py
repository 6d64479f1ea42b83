"""Where objects come from (I/O)."""
