"""A catalogue of a dozen items, rules over it, and a recommender without a server."""
