"""Particle environments: point agents on a plane, with the dynamics of OpenAI's multiagent-particle-envs or of mpe2."""
