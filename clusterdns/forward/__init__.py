"""Names that we do not own: others are asked, and what they say is kept."""
