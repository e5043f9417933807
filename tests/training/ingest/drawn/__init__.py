"""Tables drawn at random, written as shops write them, and a judge that knows what was drawn.

In: Hypothesis' choices. Out: what ingest must keep, cell by cell. It shares no code with the readers.
"""
