"""Django's settings. What differs from one installation to the next is in the environment."""

from typing import Any

from .runtime.database import connection_settings
from .runtime.settings import load_settings

_environment = load_settings()

# Each is a folder with models and urls; what the urls name appears under /v1.
RESOURCES = ["items"]
INSTALLED_APPS = [
    *(f"{__package__}.{name}" for name in RESOURCES),
    "rest_framework",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
ROOT_URLCONF = f"{__package__}.urls"
APPEND_SLASH = False
# Below these paths are pages with sessions and forms. The API has neither, and goes past what
# `pages` has of Django's middleware.
PAGES = ("/admin/",)
MIDDLEWARE = [
    f"{__package__}.runtime.pages.Security",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    f"{__package__}.runtime.pages.Sessions",
    f"{__package__}.runtime.pages.ForgeryProtection",
    f"{__package__}.runtime.pages.Authentication",
    f"{__package__}.runtime.pages.Messages",
    f"{__package__}.runtime.pages.FrameOptions",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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

REST_FRAMEWORK = {
    # A check of who may call the API goes here: both lists take classes of your own.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": f"{__package__}.runtime.rest.JSONOnly",
    "DEFAULT_PAGINATION_CLASS": f"{__package__}.runtime.rest.CursorPages",
    "DEFAULT_PARSER_CLASSES": [f"{__package__}.runtime.rest.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": f"{__package__}.runtime.rest.answer_error",
    "UNAUTHENTICATED_USER": None,
}

DATABASES = {"default": connection_settings(_environment)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False

# The admin serves its own style and scripts.
STATIC_URL = "/admin/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False

DEBUG = False
SECRET_KEY = _environment.secret_key
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
# Where TLS ends in front of the service, a form comes from https and arrives by http.
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in _environment.allowed_hosts]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# What `runtime` does for every answer, Django need not do again: it looks at the Host, bounds the
# body, says nosniff, writes the log, and answers for an exception that nobody caught.
ALLOWED_HOSTS = ["*"]
DATA_UPLOAD_MAX_MEMORY_SIZE = None
SECURE_CONTENT_TYPE_NOSNIFF = False
LOGGING_CONFIG = None
DEBUG_PROPAGATE_EXCEPTIONS = True
SILENCED_SYSTEM_CHECKS = [
    "security.W001",  # what Django looks for by its name in MIDDLEWARE is there by that of
    "security.W002",  # `runtime.pages`
    "security.W003",
    "security.W004",  # HSTS and
    "security.W008",  # the redirect to https belong to the gateway that speaks TLS
    "security.W006",  # nosniff: see above
]
