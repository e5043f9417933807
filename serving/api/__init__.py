"""HTTP and gRPC: the routes of our own API and KServe's protocols.

In: bytes of a request. Out: answers and errors as contracts.api describes them.
"""

from serving.runtime import kserve_import  # noqa: F401 - before any module of this room imports KServe
