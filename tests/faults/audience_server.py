"""The web application in a process of its own, whose mailing lists are slow enough to be cut or killed in between.

SECONDS: how long each portion of two people takes; the first one waits as long before it begins.
"""

import os
import time

from config.wsgi import application  # noqa: F401 (gunicorn's)
from registry.audience import feed

_portion = feed._portion


def _slowly(*arguments):
    time.sleep(float(os.environ["SECONDS"]))
    return _portion(*arguments)


feed._portion, feed.PORTION = _slowly, 2
