"""Replays: past play stored for learning, as transitions or whole episodes."""
