"""Users and their addresses."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class Timestamped(models.Model):
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
        ordering = ["created_at"]


class Member(AbstractUser):
    phone = models.CharField(max_length=20, blank=True, null=True, unique=True)
    invited_by = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="invited")
    friends = models.ManyToManyField("self", blank=True)


class Address(Timestamped):
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="addresses")
    street = models.CharField(max_length=100)
    zip_code = models.CharField(max_length=10, db_column="zip")
    country = models.CharField(max_length=2, default="DE", choices=[("DE", "Germany"), ("FR", "France")])

    class Meta(Timestamped.Meta):
        db_table = "postal_address"
        unique_together = [("member", "street", "zip_code")]
