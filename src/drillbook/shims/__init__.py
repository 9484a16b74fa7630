"""Stand-ins for the commands that a sandbox cannot have; each keeps the grammar of the real tool."""
