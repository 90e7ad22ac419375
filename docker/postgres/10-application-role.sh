#!/bin/sh
# Runs once, when the database is new: the role of web, worker and beat. Its rights are granted by the migrations.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$(cat /run/secrets/database_app_password)" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
CREATE ROLE registry_app LOGIN PASSWORD :'password';
SQL
