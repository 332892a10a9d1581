"""Particle environments: point agents on a plane, as OpenAI's multiagent-particle-envs (2017) and as mpe2 move them."""
