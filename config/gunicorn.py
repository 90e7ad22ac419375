"""How the web server writes its log: like the rest of the product, without what a person typed and without tokens."""

import gc

import gunicorn.http.wsgi

gunicorn.http.wsgi.SERVER = "web"  # no answer names software (policy clause 20)
accesslog = None  # a path may hold a token
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "config.logs.LineFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "gunicorn.error": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "gunicorn.access": {"handlers": [], "propagate": False},
    },
    "root": {"handlers": ["console"], "level": "INFO"},
}


def when_ready(_server: object) -> None:
    """The application is loaded, and the processes fork from here: no collector looks through what they share, and it
    stays shared."""
    gc.freeze()
