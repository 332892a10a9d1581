"""SMAX (JaxMARL): battles of StarCraft's units in JAX, a substitute for the game itself where it is not available."""
