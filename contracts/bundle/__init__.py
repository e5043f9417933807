"""The release bundle: its manifest, its signature, which one is promoted.

In: a folder. Out: a verified list of files, or a refusal in words.
"""
