"""Google Research Football's academy: attacks of a few players, as the package gfootball plays them."""
