"""A mapping guessed for a stranger's files, which `tandem init` writes.

In: the first rows of raw tables. Out: the text of a mapping file, in which what is unsure is marked.
"""
