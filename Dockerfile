# syntax=docker/dockerfile:1
# The production image: what .dockerignore lets through, the packages of one lock, and a user without rights.
# Pin the base image by digest when you build for production: --build-arg PYTHON=python:3.11-slim-bookworm@sha256:…
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS packages
# Where the partner credential lies in Azure Key Vault: --build-arg LOCK=requirements-vault.txt, which contains the other.
ARG LOCK=requirements.txt
RUN python -m venv /opt/venv
COPY ${LOCK} /tmp/requirements.txt
# Wheels only, each checked against its hash: nothing is compiled and no package runs code of its own here.
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-input \
    --require-hashes --only-binary :all: -r /tmp/requirements.txt

FROM ${PYTHON} AS static
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY . /app
# Collecting files asks neither a server nor Microsoft; these values only satisfy the settings and stay in this stage.
RUN PORTAL_ENV=production PORTAL_PROCESS=beat PORTAL_BASE_URL=https://placeholder.invalid \
    SECRET_KEY=placeholder-while-the-image-is-built-and-never-afterwards \
    DATABASE_URL=postgres://placeholder.invalid/portal REDIS_URL=redis://placeholder.invalid \
    ENTRA_CLIENT_ID=00000000-0000-4000-8000-000000000000 \
    python manage.py collectstatic --no-input

FROM ${PYTHON}
RUN groupadd --gid 10001 portal && useradd --uid 10001 --gid portal --no-create-home --shell /usr/sbin/nologin portal
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PORTAL_ENV=production \
    DJANGO_SETTINGS_MODULE=portal.settings
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY --from=static /app /app
USER 10001:10001
EXPOSE 8000
# The web process; compose.yaml names the commands of the others. /dev/shm holds gunicorn's heartbeat files, so that the
# root file system can be read-only.
CMD ["gunicorn", "portal.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "8", \
     "--worker-class", "gthread", "--worker-tmp-dir", "/dev/shm"]
