"""Lists for all users at once, without a server.

In: a bundle and the feature store. Out: Parquet or CSV files of lists, and who will buy.
"""
