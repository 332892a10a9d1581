"""The algorithms. `specs` has their names and hyperparameters; `learner` is the protocol that they implement."""
