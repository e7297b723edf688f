"""SQLAlchemy 2.0 style: the shared base, annotated types and mixins."""

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy import ARRAY, BigInteger, DateTime, ForeignKey, Numeric, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from sqlalchemy.types import JSON

intpk = Annotated[int, mapped_column(primary_key=True)]
short = Annotated[str, mapped_column(String(50))]
user_fk = Annotated[int, mapped_column(ForeignKey("users.id"), index=True)]
money = Annotated[Decimal, mapped_column(Numeric(10, 2))]


class Base(DeclarativeBase):
    type_annotation_map = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSON().with_variant(JSONB, "postgresql"),
        list[dict[str, Any]]: JSON().with_variant(JSONB, "postgresql"),
        list[str]: ARRAY(String).with_variant(String(400), "sqlite"),
        uuid.UUID: String(36),
    }


class TimestampMixin:
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime | None]


class TenantMixin:
    @declared_attr
    def tenant_id(cls) -> Mapped[int]:
        return mapped_column(BigInteger, ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False)
