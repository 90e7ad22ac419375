"""One settings file; everything that differs between two machines comes from the environment (docs/operations.md)."""

import os
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

env = environ.FileAwareEnv()
BASE_DIR = Path(__file__).resolve().parent.parent
HOME = Path(env.str("REGISTRY_HOME", default=str(BASE_DIR / "var")))

DEBUG = False
SECRET_KEY = env.str("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1"])
SITE_URL = env.str("SITE_URL", default="http://127.0.0.1:8000").rstrip("/")
IS_ON_TLS = SITE_URL.startswith("https://")

INSTALLED_APPS = [
    "registry",
    "consent",
    "config.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "simple_history",
]
MIDDLEWARE = [
    "csp.middleware.CSPMiddleware",  # first: what the next one refuses is a page too
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.ConsoleSessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "config.middleware.SealedStateMiddleware",
    "config.middleware.ReadableTextMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "config.middleware.ConsoleAuthenticationMiddleware",
    "config.middleware.ConsoleMessageMiddleware",
    "config.middleware.ConsoleHistoryMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- database -----------------------------------------------------------------------------------------------------
# The web and the workers sign in as a role that can only read and append evidence. Given only the owner's address,
# the session takes that role itself.
DATABASE_LIMITS = "-c statement_timeout=60s -c lock_timeout=15s -c idle_in_transaction_session_timeout=60s"


def database() -> dict[str, Any]:
    application = env.str("DATABASE_APP_URL", default="")
    owner = env.str("DATABASE_URL", default="")
    settings = env.db_url_config(application or owner)
    role = "" if application else " -c role=registry_app"
    limits = "" if application and application == owner else DATABASE_LIMITS  # a migration takes as long as it takes
    return settings | {
        "ENGINE": "config.postgresql",
        "CONN_MAX_AGE": 600,  # a new session learns the catalogue and every statement anew
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": settings.get("OPTIONS", {})
        | {
            "options": limits + role,
            "prepare_threshold": 5,  # registry.statements; whatever Django writes itself is planned every time
            "connect_timeout": 5,
            "keepalives_idle": 30,
            "tcp_user_timeout": 30_000,
        },
    }


DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- jobs ---------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 4 * 3600,  # longer than the longest job: a job past it would run twice at once
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "max_retries": 1,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- mail ---------------------------------------------------------------------------------------------------------
MAIL_FOLDER = HOME / "mail"
if env.str("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
    EMAIL_TIMEOUT = 20
else:
    EMAIL_BACKEND = "config.mail_folder.EmailBackend"

# --- mail that comes in: imaps://user:password@host:993/INBOX -------------------------------------------------------
MAILBOX_URL = env.str("MAILBOX_URL", default="")
MAILBOX_DAYS = env.int("MAILBOX_DAYS", default=14)  # what was filed stays there: no fewer than the age of a backup

# --- messages to phones -------------------------------------------------------------------------------------------
# As files only where mail is files too: once letters really leave, a message must not end in a folder.
SMS_FOLDER = HOME / "sms"
SMS_URL = env.str("SMS_URL", default="")
SMS_BODY = env.str("SMS_BODY", default="")
SMS_AUTHORIZATION = env.str("SMS_AUTHORIZATION", default="")
if SMS_URL:
    SMS_BACKEND = "config.sms_http.send"
else:
    SMS_BACKEND = "" if env.str("EMAIL_URL", default="") else "config.sms_folder.send"

# --- sealing ------------------------------------------------------------------------------------------------------
# Read by the keyring and not through env: a missing file is the sealed state, not a broken setting.
MASTER_KEYS = os.environ.get("MASTER_KEYS", "")
MASTER_KEYS_FILE = Path(os.environ.get("MASTER_KEYS_FILE") or HOME / "master.keys")

# --- the erasure ledger: where a restore of the database does not reach -------------------------------------------
LEDGER_FILE = Path(os.environ.get("LEDGER_FILE") or HOME / "ledger" / "erasures.jsonl")
CHECKPOINTS_FILE = Path(os.environ.get("CHECKPOINTS_FILE") or HOME / "checkpoints" / "audit.jsonl")  # of the audit

# --- people who work here -----------------------------------------------------------------------------------------
AUTH_USER_MODEL = "registry.StaffMember"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "admin:login"
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME, LANGUAGE_COOKIE_NAME = "session", "form", "language"
SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = LANGUAGE_COOKIE_PATH = "/admin/"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = IS_ON_TLS
CSRF_FAILURE_VIEW = "config.errors.csrf_failure"
CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- answers ------------------------------------------------------------------------------------------------------
# Public pages get the strictest policy; the console adds its own scripts (config/console.py).
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "style-src": [SELF],
        "img-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = IS_ON_TLS
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 31_536_000 if IS_ON_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_ON_TLS
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)  # also who sent a request (consent.views.limiting)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # a draft of the policy in three languages; public pages take less
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]  # nothing of a form on disk

# --- languages and time -------------------------------------------------------------------------------------------
LANGUAGE_CODE = "kk"
LANGUAGES = [("kk", _("Kazakh")), ("ru", _("Russian")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale" / "overlay"]  # ours first; then better words for Django's
FORMAT_MODULE_PATH = "config.formats"
USE_I18N = USE_TZ = True
TIME_ZONE = "Asia/Almaty"

# --- files of the pages -------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(HOME / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if env.bool("PLAIN_STATIC", default=False)
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- logs: what happened, never to whom ---------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "config.logs.LineFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": False},
        "celery": {"level": "WARNING"},
    },
}

SIMPLE_HISTORY_HISTORY_CHANGE_REASON_USE_TEXT_FIELD = True
SIMPLE_HISTORY_REVERT_DISABLED = True
