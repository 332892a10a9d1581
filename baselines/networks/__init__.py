"""A team's networks, its mixers, and how a team acts while a round is played."""
