"""Django's own commands, such as `makemigrations` and `createsuperuser`."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "stock_keeper.django_settings"
    execute_from_command_line(sys.argv)
