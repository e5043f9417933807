"""The command line over training, serving and monitoring."""
