"""Every setting, in one file; every value that differs between two shops comes from the environment.

The README lists each variable with its meaning and default. A bad value stops the start.
"""

from pathlib import Path
from urllib.parse import urlsplit

import environ
from celery.schedules import crontab

from libriweb.logs import layout

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# The site -------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY")
SITE_URL = env.str("SITE_URL", default="http://127.0.0.1:8000").rstrip("/")
_site = urlsplit(SITE_URL)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[_site.hostname])
CSRF_TRUSTED_ORIGINS = [f"{_site.scheme}://{_site.netloc}"]
ADMIN_PATH = env.str("ADMIN_PATH", default="admin/").strip("/") + "/"

INSTALLED_APPS = [
    "libriweb.apps.LibriwebConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.forms",
    "csp",
    "django_htmx",
    "catalog",
    "collectivities",
    "librisoft_bridge",
    "grouped_orders",
    # After ours, so that our admin templates stand before Django's own.
    "libriweb.apps.BooksellerAdminConfig",
]

MIDDLEWARE = [
    "libriweb.health.Health",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "libriweb.logs.RequestLog",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "libriweb.urls"
WSGI_APPLICATION = "libriweb.wsgi.application"

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
                "collectivities.context.bookshop",
            ],
        },
    },
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# Data -----------------------------------------------------------------------------------------

DATABASES = {"default": env.db_url("DATABASE_URL", engine="django.db.backends.postgresql")}
DATABASES["default"]["CONN_MAX_AGE"] = env.int("DATABASE_CONN_MAX_AGE", default=60)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# People ---------------------------------------------------------------------------------------

AUTH_USER_MODEL = "collectivities.User"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
PASSWORD_RESET_TIMEOUT = 3 * 24 * 3600

# Language and time ----------------------------------------------------------------------------

# Not fr-be: Django would then print 06.04.2022, and the bookshop's own screens say 06/04/2022.
LANGUAGE_CODE = "fr"
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "locale"]
# The shop's time zone: deadlines end at its midnight.
TIME_ZONE = env.str("SHOP_TIME_ZONE", default="Europe/Brussels")
USE_TZ = True
# ISO 3166-1 alpha-2; decides which price and market of an ONIX record are ours.
SHOP_COUNTRY = env.str("SHOP_COUNTRY", default="BE")

# Static files ---------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_URL = "media/"
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default=str(BASE_DIR / "media")))
# Catalogues that are uploaded, until they are taken in, and the reports of all imports; never served.
IMPORT_ROOT = Path(env.str("IMPORT_ROOT", default=str(BASE_DIR / "imports")))
# Where covers may be fetched from, « https://images.example »; from nowhere else, and never by a reader's browser.
COVER_ORIGINS = [origin.rstrip("/").lower() for origin in env.list("COVER_ORIGINS", default=[])]
STATIC_MANIFEST = env.bool("STATIC_MANIFEST", default=not DEBUG)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_MANIFEST
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not STATIC_MANIFEST

# Payments -------------------------------------------------------------------------------------
# A provider whose credentials are empty is not offered.

PAYPAL_CLIENT_ID = env.str("PAYPAL_CLIENT_ID", default="")
PAYPAL_CLIENT_SECRET = env.str("PAYPAL_CLIENT_SECRET", default="")
PAYPAL_WEBHOOK_ID = env.str("PAYPAL_WEBHOOK_ID", default="")
PAYPAL_API_URL = env.str("PAYPAL_API_URL", default="https://api-m.paypal.com").rstrip("/")
PAYPAL_PAGE_ORIGIN = env.str("PAYPAL_PAGE_ORIGIN", default="https://www.paypal.com").rstrip("/")
# The shop's own PayPal merchant id: money for anybody else is not ours.
PAYPAL_MERCHANT_ID = env.str("PAYPAL_MERCHANT_ID", default="")

STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", default="")
STRIPE_API_URL = env.str("STRIPE_API_URL", default="https://api.stripe.com").rstrip("/")
STRIPE_PAGE_ORIGIN = env.str("STRIPE_PAGE_ORIGIN", default="https://checkout.stripe.com").rstrip("/")

# LIBRISOFT ------------------------------------------------------------------------------------

# push: we call LIBRISOFT; pull: it calls us (librisoft-pull-v1.yaml); file: through a folder that both reach.
LIBRISOFT_TRANSPORT = env.str("LIBRISOFT_TRANSPORT", default="push")
LIBRISOFT_FOLDER = env.str("LIBRISOFT_FOLDER", default="")
LIBRISOFT_URL = env.str("LIBRISOFT_URL", default="").rstrip("/")
# By push, ours in its eyes; by pull, its in ours.
LIBRISOFT_TOKEN = env.str("LIBRISOFT_TOKEN", default="")
# An order that LIBRISOFT has not taken by then is told to the bookseller, who need not do anything.
LIBRISOFT_OVERDUE_HOURS = env.int("LIBRISOFT_OVERDUE_HOURS", default=4)

# Mails ----------------------------------------------------------------------------------------
# Every mail of whatever origin becomes a row first; a task sends it through the server below.

EMAIL_BACKEND = "grouped_orders.outgoing.OutboxBackend"
SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
vars().update(
    {k: v for k, v in env.email_url("EMAIL_URL", default="smtp://127.0.0.1:25").items() if k != "EMAIL_BACKEND"}
)
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT", default=15)
EMAIL_USE_LOCALTIME = True
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"Librairie <libraire@{_site.hostname}>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# Celery ---------------------------------------------------------------------------------------
# A doorbell only: rows are the queue, so nothing here has to survive a flushed broker.

CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object]
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "socket_connect_timeout": 3,
        "socket_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 25,
        # What a lost worker had in hand comes back after this: twice the longest task, so never while it runs. An
        # import alone lasts longer: handed out again, it finds its run taken and ends.
        "visibility_timeout": 600,
        "priority_steps": [0, 3, 6, 9],
        "queue_order_strategy": "priority",
    }
else:
    _broker = Path(env.str("BROKER_DIR", default=str(BASE_DIR / ".demo" / "broker")))
    CELERY_BROKER_URL = "filesystem://localhost"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_broker / "messages"),
        "data_folder_out": str(_broker / "messages"),
        "control_folder": str(_broker / "control"),
        "store_processed": False,
    }
CELERY_TIMEZONE = TIME_ZONE
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
# A message that kills its worker would come back for ever (Redis counts no deliveries): it is dropped, and the clock
# finds its row, which counts its tries.
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 1000
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its Redis as long as it takes
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# On Redis the lowest number goes first: money, then orders and mails, then the news of LIBRISOFT, then the rest.
CELERY_TASK_ROUTES = {
    "grouped_orders.clock.settle_payments": {"priority": 0},
    "grouped_orders.clock.send_refunds": {"priority": 0},
    "librisoft_bridge.tasks.transmit": {"priority": 3},
    "librisoft_bridge.clock.transmit_waiting": {"priority": 3},
    "grouped_orders.tasks.deliver_mail": {"priority": 3},
    "grouped_orders.clock.deliver_mails": {"priority": 3},
    "librisoft_bridge.clock.read_statuses": {"priority": 6},
    "*": {"priority": 9},
}
# Each of these may run twice, or late, without harm. expires: a stopped worker finds no pile of them.
CELERY_BEAT_SCHEDULE = {
    "beat": {
        "task": "libriweb.clock.beat",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "deliver mails": {
        "task": "grouped_orders.clock.deliver_mails",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "hand orders to LIBRISOFT": {
        "task": "librisoft_bridge.clock.transmit_waiting",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "resume imports": {
        "task": "catalog.clock.resume_imports",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "fetch covers": {
        "task": "catalog.clock.fetch_covers",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "read LIBRISOFT's statuses": {
        "task": "librisoft_bridge.clock.read_statuses",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "settle payments": {
        "task": "grouped_orders.clock.settle_payments",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "tell failed transmissions": {
        "task": "grouped_orders.clock.tell_failed_transmissions",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "send refunds": {
        "task": "grouped_orders.clock.send_refunds",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "remind the unpaid": {
        "task": "grouped_orders.clock.remind_unpaid",
        "schedule": 600.0,
        "options": {"expires": 600},
    },
    "cancel the unpaid": {
        "task": "grouped_orders.clock.cancel_unpaid",
        "schedule": 600.0,
        "options": {"expires": 600},
    },
    "check the ledger": {
        "task": "grouped_orders.clock.check_ledger",
        "schedule": crontab(hour="4", minute="10"),
        "options": {"expires": 3600},
    },
    "compare with the providers": {
        "task": "grouped_orders.clock.compare_with_providers",
        "schedule": crontab(hour="4", minute="40"),
        "options": {"expires": 3600},
    },
}

# Security -------------------------------------------------------------------------------------

_https = _site.scheme == "https"
SECURE_SSL_REDIRECT = _https
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31536000) if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = _https
if env.bool("BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
# Strict would drop the session when the payer comes back from the provider's page.
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

_payment_origins = [
    origin
    for credential, origin in (
        (PAYPAL_CLIENT_ID, PAYPAL_PAGE_ORIGIN),
        (STRIPE_SECRET_KEY, STRIPE_PAGE_ORIGIN),
    )
    if credential
]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        # Chromium refuses a POST whose redirect leaves for an origin that is not named here.
        "form-action": ["'self'", *_payment_origins],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'self'"],
        "object-src": ["'none'"],
    }
}

# Logs -----------------------------------------------------------------------------------------

# "json" for a machine that collects, "text" for somebody who reads.
LOG_FORMAT = env.str("LOG_FORMAT", default="text" if DEBUG else "json")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": layout(as_json=LOG_FORMAT == "json")},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # Each would write several lines for one thing done.
        "weasyprint.progress": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}
