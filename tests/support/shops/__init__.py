"""Made-up shops: purchases whose features are worked out by hand, and files as a shop would export them."""
