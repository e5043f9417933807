"""Whether what is served still looks like what was trained on: drift, exposure and degraded answers."""
