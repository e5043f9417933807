"""The first stage: the two towers, their loss, their training, the index of items.

In: a dataset. Out: exported towers, embeddings by moment, a FAISS index.
"""
