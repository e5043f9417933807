"""The two slots of a release and their shares of the traffic, in both modes of KServe.

In: a bundle and a share. Out: changed objects of the cluster.
"""
