"""The inference API: its requests, its answers, and the record of each answer that monitoring reads.

In: JSON. Out: validated models; all services speak with these.
"""
