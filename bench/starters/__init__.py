"""What `bench new` writes: a complete suite file and a complete method. Both run unchanged."""
