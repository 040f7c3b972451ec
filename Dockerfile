# Two images from one file: `docker build --target api .` (no torch) and `docker build --target worker .`.
# Both run as an unprivileged user, need nothing writable but /var/lib/regcore and /tmp, and carry no compiler or shell tools
# beyond the base image's.

FROM python:3.11.14-slim-bookworm AS base
ENV PATH=/opt/regcore/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN groupadd --gid 10001 regcore \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/regcore --shell /usr/sbin/nologin regcore \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/regcore

FROM base AS build
RUN python -m venv /opt/regcore
WORKDIR /src
# Metadata first: the layer with the dependencies changes only when pyproject.toml does.
COPY pyproject.toml README.md LICENSE ./

FROM build AS build-api
# What is installed is pyproject.toml's, with its bounds: there is no version to pin in this line.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir '.[api]'
COPY regcore ./regcore
COPY jobs ./jobs
COPY api ./api
RUN pip install --no-cache-dir --no-deps --force-reinstall . \
 && python -c "import sys, api.main; sys.exit('torch' in sys.modules)"

FROM build AS build-worker
# What is installed is pyproject.toml's, with its bounds: there is no version to pin in this line.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir '.[worker]'
COPY regcore ./regcore
COPY jobs ./jobs
COPY worker ./worker
RUN pip install --no-cache-dir --no-deps --force-reinstall .

FROM base AS api
COPY --from=build-api /opt/regcore /opt/regcore
COPY --chmod=0555 docker/api_healthy.py /opt/regcore/api_healthy.py
ENV REGCORE_DATA_DIR=/var/lib/regcore \
    REGCORE_HOST=0.0.0.0 \
    REGCORE_PORT=8000
WORKDIR /var/lib/regcore
VOLUME /var/lib/regcore
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["python", "/opt/regcore/api_healthy.py"]
CMD ["python", "-m", "api"]

FROM base AS worker
COPY --from=build-worker /opt/regcore /opt/regcore
COPY --chmod=0555 docker/worker_healthy.py /opt/regcore/worker_healthy.py
ENV REGCORE_DATA_DIR=/var/lib/regcore
WORKDIR /var/lib/regcore
VOLUME /var/lib/regcore
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
  CMD ["python", "/opt/regcore/worker_healthy.py"]
CMD ["python", "-m", "worker"]
