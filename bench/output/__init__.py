"""What is written for people: one function that escapes for each kind of output, and the terminal."""
