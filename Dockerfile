# One image for the web, the worker, the clock and the migrations: docker-compose.yml gives each its command.
# Debian 13, because its pg_dump is PostgreSQL 17's, and `manage.py backup` needs one as new as the server.
FROM python:3.11-slim-trixie AS build
ENV UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /build
COPY requirements.txt ./
RUN uv venv /opt/venv && uv pip sync --require-hashes --python /opt/venv/bin/python requirements.txt

FROM python:3.11-slim-trixie
# The fonts decide how the documents look. Debian's stable release is the pin.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        fonts-dejavu-core libharfbuzz-subset0 libpango-1.0-0 libpangoft2-1.0-0 postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home libriweb \
    && install --directory --owner=libriweb --group=libriweb /data/media /data/imports /data/librisoft
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=libriweb.settings STATIC_ROOT=/app/staticfiles MEDIA_ROOT=/data/media \
    IMPORT_ROOT=/data/imports
WORKDIR /app
COPY . .
# Nothing of these two is kept: the settings want them, the static files do not.
RUN SECRET_KEY=none DATABASE_URL=postgres://nobody@127.0.0.1/none python manage.py collectstatic --no-input
USER 10001:10001
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "4", "--no-access-log", "libriweb.wsgi:application"]
