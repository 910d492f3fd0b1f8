"""The platform's database: the only room that knows SQL."""
