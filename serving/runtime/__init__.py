"""How the process runs: clock, worker thread, background tasks, memory pages, imports.

In: settings. Out: what the other rooms run on; nothing here knows recommendations.
"""
