# One image for every command: bridge, worker, topics, simulator. `docker run IMAGE worker`.

# The release looks up the digest of this name and hands in python:3.11-slim@sha256:…
ARG BASE=python:3.11-slim

FROM ${BASE} AS build

WORKDIR /build
# Into an environment without pip: the image has what the program needs and nothing to add more with.
# The dependencies first, so that a change of the code does not fetch them again.
COPY locks/image.txt ./
RUN python -m venv --without-pip /opt/genesys-streams \
    && python -m pip --python /opt/genesys-streams install --no-cache-dir --require-hashes -r image.txt
COPY pyproject.toml README.md LICENSE ./
COPY streams ./streams
COPY topics ./topics
RUN python -m pip --python /opt/genesys-streams install --no-cache-dir --no-deps .


FROM ${BASE}

RUN groupadd --gid 10001 streams \
    && useradd --uid 10001 --gid streams --no-create-home --home-dir /data streams \
    && install --directory --owner streams --group streams /data

COPY --from=build /opt/genesys-streams /opt/genesys-streams

ENV PATH=/opt/genesys-streams/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LOG_FORMAT=json \
    DATA_DIR=/data \
    HEALTH_URL=

USER 10001:10001
WORKDIR /data
VOLUME /data
# Bridge, worker, simulator.
EXPOSE 8080 6066 8090

# HEALTH_URL says where the command that runs here answers; one that serves nothing is well as long
# as it runs.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as http; url = os.environ['HEALTH_URL']; url and http.urlopen(url, timeout=4)"]

# The program itself is process 1: SIGTERM reaches it, and it drains.
ENTRYPOINT ["genesys-streams"]
CMD ["--help"]
