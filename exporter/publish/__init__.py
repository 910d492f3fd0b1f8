"""Stores, manifests and the publication that keeps readers whole."""
