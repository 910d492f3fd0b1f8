"""Google Cloud Storage as a store."""
