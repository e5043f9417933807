# Three images out of one file; `make images` builds them with docker, podman or buildah.
#   serving     answers requests and consumes events: locked packages without TensorFlow, no pip
#   training    runs the pipeline: TensorFlow, DVC, Feast, MLflow's client, and the project's files under /opt/project
#   monitoring  writes drift reports: Evidently
# The base may be any image with Python 3.11, venv and CA certificates; `scripts/base-image` makes one from Debian packages.
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE} AS base
# User 1000 has no entry in /etc/passwd, so what libraries ask for is said here. Nothing is written outside of /tmp.
ENV PATH=/opt/tandem/bin:$PATH HOME=/tmp USER=tandem LOGNAME=tandem PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
LABEL org.opencontainers.image.title=tandem org.opencontainers.image.licenses=Apache-2.0

# Tandem itself: a wheel laid out as files, so that a changed line is a layer of kilobytes.
FROM base AS code
COPY . /source
RUN --mount=type=secret,id=ca-certificates --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=locks/dev.txt,target=/mnt/dev.txt /source/scripts/install-locked --code /source /code

# uv installs exactly what a lock file lists, hashes checked; it is fetched for each run and stays in no image. A network with
# a certificate authority of its own passes it as the secret `ca-certificates`. Packages are installed in the image itself,
# not copied out of a stage: gigabytes would be written and kept twice.
FROM base AS serving
COPY scripts/install-locked locks/serving.txt /opt/locked/
RUN --mount=type=secret,id=ca-certificates --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=locks/dev.txt,target=/mnt/dev.txt /opt/locked/install-locked /opt/locked/serving.txt
COPY --from=code /code /opt/tandem
USER 1000:1000
WORKDIR /tmp
LABEL org.opencontainers.image.description="Tandem's predictor and event consumer"
ENV TANDEM_HOST=0.0.0.0
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ.get('TANDEM_HTTP_PORT', '8080')}/v1/models/recommender\", timeout=2)"]
CMD ["python", "-m", "serving"]

FROM base AS monitoring
COPY scripts/install-locked locks/monitoring.txt /opt/locked/
RUN --mount=type=secret,id=ca-certificates --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=locks/dev.txt,target=/mnt/dev.txt /opt/locked/install-locked /opt/locked/monitoring.txt
COPY --from=code /code /opt/tandem
USER 1000:1000
WORKDIR /tmp
LABEL org.opencontainers.image.description="Tandem's drift reports"
# A job, not a server: healthy where its imports work.
HEALTHCHECK --interval=60s --timeout=30s CMD ["python", "-c", "import monitoring.drift"]
CMD ["tandem", "drift"]

FROM base AS training
COPY scripts/install-locked locks/training.txt /opt/locked/
RUN --mount=type=secret,id=ca-certificates --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=locks/dev.txt,target=/mnt/dev.txt /opt/locked/install-locked /opt/locked/training.txt
COPY --from=code /code /opt/tandem
# What `dvc repro` compares and runs; a job copies it to its volume, because the root is read-only.
COPY . /opt/project
USER 1000:1000
WORKDIR /tmp
LABEL org.opencontainers.image.description="Tandem's pipeline"
ENV TF_USE_LEGACY_KERAS=1 TF_CPP_MIN_LOG_LEVEL=3 DVC_SITE_CACHE_DIR=/tmp/dvc
HEALTHCHECK --interval=60s --timeout=30s CMD ["python", "-c", "import training.ranking.train"]
CMD ["tandem", "--help"]
