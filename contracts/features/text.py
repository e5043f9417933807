"""Titles as vectors: hashed n-grams through a projection that training has fitted; offline and online alike."""

import re
from collections.abc import Iterator, Sequence
from typing import Final
from zlib import crc32

import numpy as np

from contracts.arrays import Floats

TEXT_DIM: Final = 16
BUCKETS: Final = 4096
"""An n-gram has the bucket of its hash. A few thousand n-grams distinguish titles, and these rarely share a bucket."""
GRAM: Final = 4
"""Characters of an n-gram: endings and spellings of a word meet, as whole words would not."""

_WORD: Final = re.compile(r"[^\W\d_]{2,}")


def buckets_of(title: str) -> list[int]:
    """Bucket of each word and each n-gram in a title, repeats included; numbers and sizes are no words."""
    return [crc32(gram.encode()) % BUCKETS for word in _WORD.findall(title.casefold()) for gram in _grams(word)]


def _grams(word: str) -> Iterator[str]:
    yield word
    framed = f" {word} "
    if len(framed) > GRAM:
        yield from (framed[at : at + GRAM] for at in range(len(framed) - GRAM + 1))


def text_vectors(titles: Sequence[str | None], projection: Floats) -> Floats:
    """[n, TEXT_DIM] from [BUCKETS, TEXT_DIM]; row i is titles[i], of length 1, or zeros."""
    known: dict[str, Floats] = {}
    rows = np.zeros((len(titles), projection.shape[1]), np.float32)
    for row, title in enumerate(titles):
        if title:
            if title not in known:
                known[title] = normalized(projection[buckets_of(title)].sum(axis=0, keepdims=True))[0]
            rows[row] = known[title]
    return rows


def normalized(vectors: Floats) -> Floats:
    """[n, dim] rows scaled to length 1; a row without length stays zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Floats = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-9)
    return scaled
