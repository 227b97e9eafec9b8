"""The management plane: ordinary Django, run as WSGI in a thread pool."""

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
