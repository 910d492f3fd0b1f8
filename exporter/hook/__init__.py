"""Publication when a CI run ends, and its monitoring."""
