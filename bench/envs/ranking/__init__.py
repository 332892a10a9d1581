"""Learning to rank: an agent for each document of a query."""
