"""From rows to documents: pure functions, one module per family, no store and no SQL."""
