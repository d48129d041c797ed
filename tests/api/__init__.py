"""The service over real HTTP, on a real database."""
