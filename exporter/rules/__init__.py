"""Judgements on rows and histories: pure functions, no documents, no I/O."""
