"""SMAX (JaxMARL): battles of StarCraft's units in JAX, a substitute where the game itself is not to be had."""
