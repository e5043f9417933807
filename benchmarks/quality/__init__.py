"""Our lists compared with the peers', on public splits: `make bench-quality`.

sets.py names the data sets (splits.py says what one is), entrants.py who takes part on each (peers/peer.py says what a
peer does), contest.py lets validation choose and asks test once, table.py prints.
"""
