"""The embedded backend: real services as ordinary processes inside the kernel sandbox, no Docker, no root."""
