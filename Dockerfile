# The exporter and what it needs, by hash: no package installer, no root, one volume for the ledger.
# Build with another base: docker build --build-arg BASE_IMAGE=registry.example/python:3.13-slim .
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS wheel
WORKDIR /src
RUN python -m venv /build
COPY requirements-dev.txt ./
RUN /build/bin/pip install --no-cache-dir --quiet --require-hashes --requirement requirements-dev.txt
COPY pyproject.toml README.md LICENSE ./
COPY runtype_exporter runtype_exporter
RUN /build/bin/hatchling build --target wheel --directory /dist

FROM ${BASE_IMAGE} AS install
WORKDIR /src
RUN python -m venv /build && python -m venv --without-pip /opt/runtype-exporter
COPY requirements.txt ./
RUN /build/bin/pip --python /opt/runtype-exporter/bin/python install --no-cache-dir --quiet --require-hashes --requirement requirements.txt
COPY --from=wheel /dist /dist
RUN /build/bin/pip --python /opt/runtype-exporter/bin/python install --no-cache-dir --quiet --no-deps /dist/*.whl \
 && install --directory --owner=65532 --group=65532 /data

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="runtype-exporter" \
      org.opencontainers.image.description="Prometheus exporter for Runtype: every record result of a batch execution counted exactly once" \
      org.opencontainers.image.licenses="Apache-2.0"
# What the base brings for installing is of no use to a process that installs nothing.
RUN rm -rf /usr/local/lib/python3*/site-packages/pip* /usr/local/bin/pip* /usr/local/lib/python3*/ensurepip
COPY --from=install /opt/runtype-exporter /opt/runtype-exporter
COPY --from=install --chown=65532:65532 /data /data
ENV PATH=/opt/runtype-exporter/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RUNTYPE_EXPORTER_STATE_PATH=/data/runtype-exporter.db
# A config.yaml that is mounted here is found without a flag.
WORKDIR /etc/runtype-exporter
USER 65532:65532
VOLUME /data
EXPOSE 10077
# Another address goes into RUNTYPE_EXPORTER_WEB_LISTEN_ADDRESS, which serve and this check both read; a flag of serve is unknown here.
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s CMD ["runtype-exporter", "healthcheck"]
ENTRYPOINT ["runtype-exporter"]
CMD ["serve"]
