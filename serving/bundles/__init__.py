"""The bundles that this server answers from: found, verified, loaded, swapped.

In: a folder or URL of bundles. Out: a release, which is one consistent snapshot for a request.
"""
