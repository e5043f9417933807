"""Bundles and online stores of any size, built with the pipeline's own code from drawn users and items."""
