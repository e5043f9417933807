"""Business rules over the ranked candidates: pins, boosts, caps, quotas, diversity, exploration.

In: a rule file and ranked candidates. Out: the order in which items are shown, and which rule acted.
"""
