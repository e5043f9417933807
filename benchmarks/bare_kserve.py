"""KServe with a model that does nothing: what the same machine gives at most."""

import os
from typing import Any

import kserve
from kserve import Model, ModelServer

from serving.api.kserve_server import quiet, use_uvloop


class Nothing(Model):  # type: ignore[misc]
    """Answers the same to everything."""

    def __init__(self) -> None:
        super().__init__("recommender")
        self.ready = True

    async def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> dict[str, Any]:
        """Twenty items, always the same."""
        return {"predictions": [{"item_id": str(item), "score": 0.5} for item in range(20)]}


if __name__ == "__main__":
    use_uvloop()
    server = ModelServer(http_port=int(os.environ["TANDEM_HTTP_PORT"]), enable_grpc=False, enable_latency_logging=False)
    quiet("WARNING")
    kserve.logging.logger.setLevel("WARNING")
    server.start([Nothing()])
