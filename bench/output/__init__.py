"""Output for people: an escaping function for each kind of output, and the terminal."""
