"""Plain HTTP next to KServe's protocols: one file a subject, one function a route.

In: the service. Out: routers for serving.api.app.
"""
