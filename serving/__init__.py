"""One process that answers: user features, retrieval, ranking, lists and the page; no TensorFlow."""
