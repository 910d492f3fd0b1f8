# The exporter as an image: docker build --tag exporter . (docs/container.md)
# Debian's Python, so that a debootstrapped Debian can stand for the base where no engine runs (.ci/image.py).
FROM debian:trixie-slim AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY exporter exporter
COPY templates templates
COPY docs docs
# For `exporter snapshot`: --build-arg 'EXTRAS=[snapshots]'
ARG EXTRAS=
RUN python3 -m venv /opt/exporter \
    && /opt/exporter/bin/pip install --no-cache-dir --constraint constraints.txt ".${EXTRAS}"

FROM debian:trixie-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin exporter
COPY --from=build /opt/exporter /opt/exporter
ENV PATH=/opt/exporter/bin:/usr/bin:/bin \
    EXPORTER_LOG_FORMAT=json
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
# All that is written beside the store: the root file system may be read-only.
WORKDIR /tmp
VOLUME /tmp
# Unhealthy when the store that EXPORTER_STORE names is broken; name an age with EXPORTER_MAX_AGE.
HEALTHCHECK --interval=5m --timeout=1m --start-period=1h CMD ["exporter", "status"]
ENTRYPOINT ["exporter"]
CMD ["export"]
