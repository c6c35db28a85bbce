# The image of vip-exporter. docs/image.md says what is in it, as whom it runs, and why.
#
#   docker build --tag vip-exporter .                               runs as root with no right but NET_RAW
#   docker build --tag vip-exporter:nonroot --target nonroot .      runs as 65532, with NET_RAW on the interpreter

# The same Debian twice: the program is installed with the one and run by the other's interpreter.
ARG BUILD_IMAGE=docker.io/library/debian:13-slim
ARG RUN_IMAGE=gcr.io/distroless/python3-debian13

# hadolint ignore=DL3006  # its version is in the argument
FROM ${BUILD_IMAGE} AS build
# hadolint ignore=DL3008  # Debian keeps the newest of a release only; a digest in BUILD_IMAGE is what pins
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libcap2-bin python3-venv \
    && rm -rf /var/lib/apt/lists/*
# pip and what builds the package stay in an environment of their own, in this stage.
RUN python3.13 -m venv /build/tools && python3.13 -m venv --without-pip /opt/vip-exporter
WORKDIR /build/source
COPY requirements/run.txt requirements/
COPY deploy/image/build.txt deploy/image/
RUN /build/tools/bin/pip install --no-cache-dir --only-binary :all: --require-hashes \
        --requirement deploy/image/build.txt \
    && /build/tools/bin/pip --python /opt/vip-exporter/bin/python3.13 install --no-cache-dir --no-compile \
        --only-binary :all: --require-hashes --requirement requirements/run.txt
COPY deploy/image/prune.py deploy/image/
RUN python3.13 deploy/image/prune.py /opt/vip-exporter/lib/python3.13/site-packages
COPY LICENSE README.md pyproject.toml ./
COPY exporter exporter
ARG REVISION=
RUN if [ -n "${REVISION}" ]; then echo "${REVISION}" > exporter/REVISION; fi \
    && /build/tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /build/wheel . \
    && /build/tools/bin/pip --python /opt/vip-exporter/bin/python3.13 install --no-cache-dir --no-compile --no-deps \
        /build/wheel/*.whl
# Of the programs that came along, only ours stays. The other bin/ has an interpreter of its own, which may capture.
RUN find /opt/vip-exporter/bin -mindepth 1 ! -name 'python*' ! -name vip-exporter -delete \
    && cp --archive /opt/vip-exporter/bin /build/nonroot-bin \
    && rm /build/nonroot-bin/python3.13 \
    && cp /usr/bin/python3.13 /build/nonroot-bin/python3.13 \
    && setcap cap_net_raw+ep /build/nonroot-bin/python3.13 \
    && mkdir /build/state

# hadolint ignore=DL3006  # its version is in the argument
FROM ${RUN_IMAGE} AS run
COPY --from=build /opt/vip-exporter/pyvenv.cfg /opt/vip-exporter/
COPY --from=build /opt/vip-exporter/lib /opt/vip-exporter/lib
# By this interpreter with this standard library: what cannot be imported here, cannot where it runs.
RUN --mount=type=bind,source=deploy/image/compile.py,target=/tmp/compile.py \
    ["/usr/bin/python3.13", "-B", "/tmp/compile.py", "/opt/vip-exporter/lib/python3.13/site-packages"]
# A root that cannot be written to takes no bytecode anyway; one that can is not to change.
ENV PATH=/opt/vip-exporter/bin:${PATH} PYTHONDONTWRITEBYTECODE=1
WORKDIR /
STOPSIGNAL SIGTERM
EXPOSE 10150
ENTRYPOINT ["/opt/vip-exporter/bin/vip-exporter"]
CMD []
ARG RUN_IMAGE
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="vip-exporter" \
      org.opencontainers.image.description="Which node holds the virtual IP, who says so, and since when: a passive Prometheus exporter for kube-vip and Harvester" \
      org.opencontainers.image.source="https://github.com/vip-exporter/vip-exporter" \
      org.opencontainers.image.documentation="https://github.com/vip-exporter/vip-exporter/blob/main/docs/image.md" \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-2.0-only" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${RUN_IMAGE}"

FROM run AS nonroot
COPY --from=build /build/nonroot-bin /opt/vip-exporter/bin
COPY --from=build --chown=65532:65532 /build/state /var/lib/vip-exporter
USER 65532:65532

FROM run AS root
COPY --from=build /opt/vip-exporter/bin /opt/vip-exporter/bin
COPY --from=build /build/state /var/lib/vip-exporter
# Numbers: whoever checks runAsNonRoot cannot look names up.
# hadolint ignore=DL3002  # root without its rights: docs/image.md, "As whom it runs"
USER 0:0
