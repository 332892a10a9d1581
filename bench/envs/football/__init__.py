"""Google Research Football's academy: attacks of a few players, played by the package gfootball."""
