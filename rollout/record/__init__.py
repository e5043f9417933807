"""What a rollout has come to, kept in the cluster and said to people.

In: decisions of the controller. Out: the record, events, metrics and a status in words.
"""
