"""One export: plan, read, build, aggregate, publish."""
