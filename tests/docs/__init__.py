"""The documents: figures, reference pages, and the commands that they show."""
