"""A cluster in memory, and rollouts in it by a clock that a test moves."""
