"""What runs have to say: measures read off their curves, seed by seed, and which of them count."""
