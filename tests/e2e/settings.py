"""Settings of an end-to-end run; it reads everything else from the cluster."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class EndToEndSettings(BaseSettings):
    """Read once from E2E_* environment variables."""

    model_config = SettingsConfigDict(env_prefix="E2E_", frozen=True, extra="ignore")

    namespace: str = "tandem-e2e"  # made by the run and removed after it
    release: str = "shop"
    host: str = "shop.example.com"  # asked for in the Host header; needs no name server
    mode: str = Field("standard", pattern="^(standard|knative)$")
    keep: bool = False  # leave everything there for a look
    installed: str = ""  # bundle URL of what a kept run has installed; only the slots are upgraded then
    only: str = ""  # names of scenarios, separated by commas; the installation always runs

    images: str = "registry.local/tandem"  # prefix of Tandem's images
    tag: str = "0.1.0"
    redis_image: str = "docker.io/library/redis:7.4-bookworm"
    prometheus_image: str = "docker.io/prom/prometheus:v3.5.0"
    s3_image: str = "docker.io/versity/versitygw:v1.8.0"

    gateway: str = "kserve/kserve-ingress-gateway"  # namespace/name of the Gateway
    gateway_service: str = ""  # namespace/name of its Service, where the Gateway's address cannot be reached from here
    requests_per_second: float = 20.0  # of the background traffic; a bound, not a benchmark
