"""A server loads no client of clusters, and answers as KServe's own does without one."""

import sys

import kserve

from serving.runtime.kserve_import import CLIENT, LeftOut


def test_the_client_of_clusters_is_left_out() -> None:
    assert isinstance(sys.modules[CLIENT], LeftOut)
    assert kserve.KServeClient is None
    assert kserve.ModelServer.__module__ == "kserve.model_server"
