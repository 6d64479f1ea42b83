"""Query to response: pure and synchronous."""
