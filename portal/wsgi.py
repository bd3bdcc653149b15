"""The web process. It says so before settings are read: it gets the web database role and no partner credential."""

import os

os.environ["PORTAL_PROCESS"] = "web"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

from django.core.wsgi import get_wsgi_application

from portal import start
from portal.middleware import in_utf_8

start.servers()
start.production()
application = in_utf_8(get_wsgi_application())
