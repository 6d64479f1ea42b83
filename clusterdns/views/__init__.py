"""What people are shown: kubectl's tables and descriptions, differences.  Pure: "now" comes in as a value."""
