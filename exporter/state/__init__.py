"""What is remembered between exports, in the store's `_state/`."""
