"""Django's settings shared by all services; `django_settings` adds to or replaces them."""

from typing import Any

from .database import connection_settings, given_settings

# The service's own settings, from the environment: `settings.SERVICE.host`.
SERVICE = given_settings()

INSTALLED_APPS = [
    __package__,
    "rest_framework",
    "drf_spectacular",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
ROOT_URLCONF = f"{__package__}.urls"
WSGI_APPLICATION = f"{__package__.partition('.')[0]}.wsgi.application"
APPEND_SLASH = False
# Paths of pages with sessions and forms. The API has neither and bypasses the middleware for them;
# add "/v1/" to make users who have signed in to the admin known there too.
SESSION_PATHS: tuple[str, ...] = ("/admin/",)
MIDDLEWARE = [
    f"{__package__}.middleware.Security",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    f"{__package__}.middleware.Sessions",
    f"{__package__}.middleware.ForgeryProtection",
    f"{__package__}.middleware.Authentication",
    f"{__package__}.middleware.Messages",
    f"{__package__}.middleware.FrameOptions",
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

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": f"{__package__}.parsers.JSONOnly",
    "DEFAULT_FILTER_BACKENDS": [
        f"{__package__}.filters.FieldFilter",
        f"{__package__}.filters.SortFilter",
    ],
    "DEFAULT_PAGINATION_CLASS": f"{__package__}.pagination.CursorPages",
    "DEFAULT_PARSER_CLASSES": [
        f"{__package__}.parsers.StrictJSONParser",
        f"{__package__}.parsers.MergePatchParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": f"{__package__}.schema.ResourceSchema",
    "EXCEPTION_HANDLER": f"{__package__}.errors.handle_exception",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATIONS": False,
    "SORT_OPERATION_PARAMETERS": False,
    "POSTPROCESSING_HOOKS": [],
}

DATABASES = {"default": connection_settings(SERVICE)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False

# The admin serves its own styles and scripts.
STATIC_URL = "/admin/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False

DEBUG = False
SECRET_KEY = SERVICE.secret_key
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
# If TLS is terminated in front of the service, forms are sent with https but arrive as http.
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in SERVICE.allowed_hosts]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# `runtime` already checks the Host, limits the body, sets nosniff and writes the log, so Django
# need not.
ALLOWED_HOSTS = ["*"]
DATA_UPLOAD_MAX_MEMORY_SIZE = None
SECURE_CONTENT_TYPE_NOSNIFF = False
LOGGING_CONFIG = None
SILENCED_SYSTEM_CHECKS = [
    "security.W001",  # MIDDLEWARE has subclasses of these, under names from
    "security.W002",  # `runtime.middleware`
    "security.W003",
    "security.W004",  # HSTS and
    "security.W008",  # the redirect to https belong to the gateway that speaks TLS
    "security.W006",  # nosniff: see above
]
