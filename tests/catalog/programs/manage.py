"""A Django project in one file. ALLOWED_HOSTS is empty, as `startproject` leaves it."""
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path

settings.configure(DEBUG=True, SECRET_KEY="none", ROOT_URLCONF=__name__, ALLOWED_HOSTS=[])
urlpatterns = [path("", lambda request: HttpResponse("ok\n"))]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
