"""Pages about the ingested data, for people: one file a topic, which measures it and says what it means.

In: ingested tables. Out: sections of one HTML page.
"""
