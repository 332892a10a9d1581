"""What runs show: measures read off their curves, seed by seed, and which runs count."""
