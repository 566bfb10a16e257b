# The base image's digest is pinned by whoever builds for production:
#   docker build --build-arg PYTHON=python:3.13-slim@sha256:… .
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
WORKDIR /src
RUN python -m venv /venv
COPY requirements/build.txt requirements/run.txt requirements/
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/run.txt \
 && python -m venv /builder \
 && /builder/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md ./
COPY webhook webhook
COPY certs certs
COPY deploy/samples deploy/samples
RUN /builder/bin/python -m hatchling build -t wheel \
 && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps dist/*.whl \
 && /venv/bin/python -m compileall -q /venv/lib \
 && rm -rf /venv/lib/python3*/site-packages/pip /venv/lib/python3*/site-packages/pip-*.dist-info /venv/bin/pip*

FROM ${PYTHON}
COPY --from=build /venv /venv
# Any uid will do: nothing is written, also on a read-only root file system.
USER 2103:2103
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
EXPOSE 8443 9995
ENTRYPOINT ["linkerd-webhook"]
CMD ["serve"]
