"""What users and the catalogue do while the server runs, kept in a durable log.

In: posted interactions and items. Out: fresh online features, live catalogue changes and impressions.
"""
