# The image of web, worker, beat and the one-shot migration: the same lock file and the same collectstatic as ./run.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=config.settings \
    REGISTRY_HOME=/data STATIC_ROOT=/app/collected-static
WORKDIR /app

RUN useradd --system --user-group --uid 10001 --home-dir /data --shell /usr/sbin/nologin registry \
    && install -d -o registry -g registry -m 700 /data

COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt

COPY . .
# Only the names of the files matter here: no secret and no database is used or kept.
RUN SECRET_KEY=build DATABASE_URL=postgres://build@build/build python manage.py collectstatic --noinput -v0 \
    && python -m compileall -q config registry consent

USER registry
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["/app/docker/with-secrets"]
CMD ["gunicorn", "config.wsgi", "--config", "python:config.gunicorn", "--bind", "0.0.0.0:8000", "--workers", "2", "--worker-class", "gthread", "--threads", "4", \
     "--graceful-timeout", "15", "--no-control-socket", "--worker-tmp-dir", "/dev/shm", "--log-level", "warning"]
