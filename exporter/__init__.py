"""Turns the Sample Platform's database into a static JSON API."""

__version__ = "0.1.0"
