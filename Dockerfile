# The base image's digest is pinned by whoever builds for production, in both stages at once:
#   docker build --build-arg PYTHON=python:3.13-slim@sha256:… .
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements requirements/
# What is installed into /venv has no installer in it.
RUN python -m venv /builder \
 && /builder/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt \
 && python -m venv --without-pip /venv \
 && /builder/bin/pip --python /venv/bin/python install --no-cache-dir --no-compile --require-hashes -r requirements/run.txt \
 && /builder/bin/python requirements/prune.py /venv
COPY pyproject.toml README.md ./
COPY webhook webhook
COPY certs certs
COPY deploy/samples deploy/samples
COPY docs docs
# Compiled code is valid whatever the files' times, so that nobody wants to write it anew.
RUN /builder/bin/python -m hatchling build -t wheel \
 && /builder/bin/pip --python /venv/bin/python install --no-cache-dir --no-compile --no-deps dist/*.whl \
 && /builder/bin/python requirements/sbom.py requirements/run.txt pyproject.toml /sbom.cdx.json \
 && /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /venv/lib

FROM ${PYTHON}
ARG PYTHON
ARG VERSION=0.1.0
ARG REVISION=""
LABEL org.opencontainers.image.title="linkerd-webhook" \
      org.opencontainers.image.description="Admission webhook server for Linkerd" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON}"
# Nothing is installed any more: the base image's installer goes, too.
RUN rm -rf /usr/local/lib/python3*/ensurepip /usr/local/lib/python3*/site-packages/* /usr/local/bin/pip* /usr/local/bin/wheel
COPY --from=build /venv /venv
# What is in it, as CycloneDX.
COPY --from=build /sbom.cdx.json /usr/share/sbom/linkerd-webhook.cdx.json
# Any uid will do: nothing is written, also on a read-only root file system.
USER 2103:2103
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
EXPOSE 8443 9995
# Kubernetes has probes of its own.
HEALTHCHECK NONE
ENTRYPOINT ["linkerd-webhook"]
CMD ["serve"]
