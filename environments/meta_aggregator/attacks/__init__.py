"""What thieves do: programs that attack the sandbox's system as an outsider would, and print each blow that struck."""
