"""Servers of what is published."""
