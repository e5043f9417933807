"""One thread for each of the libraries that compute; to be imported before them.

Two workers share two cores, and what tests compute is small. With threads of their own, libraries wait for each other
in busy loops: a fifth of the CPU of what TensorFlow learns. Servers that tests start inherit it.
"""

import os

for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")
