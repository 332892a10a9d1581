"""What was played, kept to learn from: transition by transition, or whole episodes."""
