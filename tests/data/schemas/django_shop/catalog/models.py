"""Products, with inheritance, a through model and every kind of constraint."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from people.models import Timestamped


class UpperField(models.CharField):
    def get_prep_value(self, value):
        return value.upper()


class Category(models.Model):
    slug = models.SlugField(primary_key=True)
    parent = models.ForeignKey("Category", null=True, blank=True, on_delete=models.PROTECT)


class Item(Timestamped):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    sku = UpperField(max_length=12, unique=True)
    title = models.CharField(max_length=240, db_index=True)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    stock = models.PositiveIntegerField(default=0)
    weight = models.IntegerField(null=True, db_index=True)
    keywords = ArrayField(models.CharField(max_length=30), default=list)
    details = models.JSONField(default=dict)
    image = models.FileField(upload_to="items", null=True)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, db_index=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_column="owner_ref")
    watchers = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Subscription", related_name="watched")
    related = models.ManyToManyField("self", symmetrical=False, db_table="item_relations")

    class Meta:
        indexes = [
            models.Index(fields=["category", "-price"], name="item_category_price"),
            models.Index(Lower("title"), name="item_lower_name"),
            GinIndex(fields=["details"], name="item_details_gin"),
            models.Index(fields=["stock"], name="item_in_stock", condition=Q(stock__gt=0)),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(price__gte=0), name="%(app_label)s_%(class)s_price"),
            models.UniqueConstraint(fields=["owner", "title"], name="one_name_per_owner"),
            models.UniqueConstraint(fields=["category"], condition=Q(stock=0), name="one_sold_out"),
        ]


class Book(Item):
    isbn = models.CharField(max_length=13, unique=True)


class Bestseller(Book):
    class Meta:
        proxy = True


class Subscription(models.Model):
    item = models.ForeignKey(Item, on_delete=models.CASCADE)
    member = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_constraint=False)
    since = models.DateField()
    muted = models.BooleanField(default=False)

    class Meta:
        unique_together = (("item", "member"),)


class Legacy(models.Model):
    code = models.CharField(max_length=5)

    class Meta:
        managed = False
        db_table = "legacy_codes"


class Profile(models.Model):
    member = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True)
    level = models.IntegerField(db_default=1)
    big = models.BigIntegerField(null=True)
    duration = models.DurationField()
    ip = models.GenericIPAddressField(null=True)
    data = models.BinaryField(null=True)
    flag = models.BooleanField(default=False)
    rate = models.FloatField()
    at = models.TimeField()
    favourites = models.ManyToManyField(Category)
