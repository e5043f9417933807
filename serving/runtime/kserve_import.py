"""Leaves out a client of clusters that KServe loads with its server; to be imported before KServe.

A server asks no cluster. The client brings Kubernetes', Google's and a JSON schema's modules along: 0.3 s and 20 MB.
"""

import sys
from types import ModuleType

CLIENT = "kserve.api.kserve_client"


class LeftOut(ModuleType):
    """In the client's place."""

    KServeClient = None


if "kserve" not in sys.modules:
    sys.modules[CLIENT] = LeftOut(CLIENT)
