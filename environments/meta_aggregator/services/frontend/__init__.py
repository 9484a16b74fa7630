"""The web frontend: one page for customers, and the API behind the same name."""
