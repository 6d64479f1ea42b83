"""Names to RRsets: the DNS schema, once.  Pure."""
