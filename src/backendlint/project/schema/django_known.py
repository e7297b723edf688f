"""What Django's own and widespread third-party base models bring along, as data.

Sources: django 5.2 `contrib/auth`, django-model-utils 5, django-mptt 0.16, django-treebeard 4.7, django-extensions 3.2,
django-taggit 6, wagtail 6.
"""

from __future__ import annotations

from backendlint.project.schema.django_fields import Field

_BASE_USER = (
    Field("password", "CharField", "VARCHAR(128)"),
    Field("last_login", "DateTimeField", "TIMESTAMPTZ", null=True),
)
_PERMISSIONS = (
    Field("is_superuser", "BooleanField", "BOOLEAN", default=True),
    Field("groups", "ManyToManyField", target="auth.Group"),
    Field("user_permissions", "ManyToManyField", target="auth.Permission"),
)
_USER = (
    Field("username", "CharField", "VARCHAR(150)", unique=True),
    Field("first_name", "CharField", "VARCHAR(150)"),
    Field("last_name", "CharField", "VARCHAR(150)"),
    Field("email", "EmailField", "VARCHAR(254)"),
    Field("is_staff", "BooleanField", "BOOLEAN", default=True),
    Field("is_active", "BooleanField", "BOOLEAN", default=True),
    Field("date_joined", "DateTimeField", "TIMESTAMPTZ", default=True),
)
_STAMPED = (
    Field("created", "DateTimeField", "TIMESTAMPTZ", default=True),
    Field("modified", "DateTimeField", "TIMESTAMPTZ", default=True),
)
BASES: dict[str, tuple[Field, ...]] = {
    "AbstractBaseUser": _BASE_USER,
    "PermissionsMixin": _PERMISSIONS,
    "AbstractUser": (*_BASE_USER, *_PERMISSIONS, *_USER),
    "TimeStampedModel": _STAMPED,
    "MPTTModel": (
        Field("lft", "PositiveIntegerField", "INTEGER"),
        Field("rght", "PositiveIntegerField", "INTEGER"),
        Field("tree_id", "PositiveIntegerField", "INTEGER", index=True),
        Field("level", "PositiveIntegerField", "INTEGER"),
    ),
    "MP_Node": (
        Field("path", "CharField", "VARCHAR(255)", unique=True),
        Field("depth", "PositiveIntegerField", "INTEGER"),
        Field("numchild", "PositiveIntegerField", "INTEGER"),
    ),
    "Orderable": (Field("sort_order", "IntegerField", "INTEGER", null=True),),
    "SoftDeletableModel": (Field("is_removed", "BooleanField", "BOOLEAN", default=True),),
    "UUIDModel": (Field("id", "UUIDField", "UUID", primary_key=True, default=True),),
}
"""Columns that an abstract base from outside brings, by the class's name."""

PLAIN_BASES = frozenset(
    {"Model", "object", "ClusterableModel", "Indexed", "ABC", "Generic", "TypedModel", "DirtyFieldsMixin"}
)
"""Bases that bring no column."""

TABLES: dict[str, tuple[str, str, str]] = {
    "auth.user": ("auth_user", "id", "INTEGER"),
    "auth.group": ("auth_group", "id", "INTEGER"),
    "auth.permission": ("auth_permission", "id", "INTEGER"),
    "contenttypes.contenttype": ("django_content_type", "id", "INTEGER"),
    "sites.site": ("django_site", "id", "INTEGER"),
    "sessions.session": ("django_session", "session_key", "VARCHAR(40)"),
    "admin.logentry": ("django_admin_log", "id", "INTEGER"),
    "flatpages.flatpage": ("django_flatpage", "id", "INTEGER"),
}
"""Models of django.contrib: table, primary key and its type."""
