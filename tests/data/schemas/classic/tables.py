"""SQLAlchemy 1.4 style: mixins, association tables, joined and single-table inheritance."""

import enum
import uuid
from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    desc,
    func,
    text,
)
from sqlalchemy.orm import declarative_base, declared_attr, deferred, relationship

metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s"})
Base = declarative_base(metadata=metadata)


class Status(enum.Enum):
    OPEN = "open"
    CLOSED = "closed"


class CaselessString(TypeDecorator):
    impl = String(190)
    cache_ok = True


class Stamped:
    created_at = Column(DateTime(timezone=True), nullable=False, server_default=func.now())
    updated_at = Column(DateTime, onupdate=datetime.utcnow)

    @declared_attr
    def created_by_id(cls):
        return Column(Integer, ForeignKey("account.id", ondelete="SET NULL"), index=True)


class Named:
    @declared_attr
    def __tablename__(cls):
        return cls.__name__.lower()

    id = Column(Integer, primary_key=True)
    name = Column(String(80), nullable=False)


def money():
    return Column(Numeric(12, 2), nullable=False, server_default=text("0"))


product_tags = Table(
    "product_tags",
    metadata,
    Column("product_id", ForeignKey("product.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", Integer, ForeignKey("tag.id"), primary_key=True),
    Column("rank", SmallInteger, server_default="0"),
    Index("ix_product_tags_tag", "tag_id", "rank"),
)


class Account(Base):
    __tablename__ = "account"
    id = Column(Integer, primary_key=True)
    email = Column(CaselessString, nullable=False, unique=True)
    login = Column("user_login", String(40), index=True, unique=True)
    is_active = Column(Boolean, default=True, nullable=False)
    token = Column(Uuid, default=uuid.uuid4)
    kind = Column(String(20))
    __mapper_args__ = {"polymorphic_on": kind, "polymorphic_identity": "account"}
    __table_args__ = (
        CheckConstraint("length(email) > 3", name="ck_account_email"),
        Index("ix_account_lower_email", func.lower(email)),
        Index("ix_account_active", "is_active", desc("id")),
    )


class Staff(Account):
    salary = Column(Integer)
    __mapper_args__ = {"polymorphic_identity": "staff"}


class Supplier(Account):
    __tablename__ = "supplier"
    id = Column(ForeignKey("account.id"), primary_key=True)
    company = Column(String(120), nullable=False)
    __mapper_args__ = {"polymorphic_identity": "supplier"}


class Tag(Named, Base):
    slug = Column(String(30), nullable=False)
    __table_args__ = (UniqueConstraint("slug", name="uq_tag_slug"), {"comment": "labels"})


class Product(Stamped, Named, Base):
    status = Column(Enum(Status, name="product_status"), nullable=False, default=Status.OPEN)
    price = money()
    weight = Column(BigInteger)
    photo = deferred(Column(LargeBinary))
    attributes = Column(JSON, default=dict)
    description = Column(Text)
    supplier_id = Column(ForeignKey("supplier.id"), nullable=False)
    tags = relationship("Tag", secondary=product_tags)


class Stock(Base):
    __tablename__ = "stock"
    warehouse = Column(String(10), primary_key=True)
    product_id = Column(Integer, primary_key=True)
    amount = Column(Integer, nullable=False)
    __table_args__ = (ForeignKeyConstraint(["product_id"], [Product.id], name="fk_stock_product", ondelete="CASCADE"),)


class Movement(Base):
    __tablename__ = "movement"
    id = Column(BigInteger, primary_key=True)
    warehouse = Column(String(10), nullable=False)
    product_id = Column(Integer, nullable=False)
    delta = Column(Integer, nullable=False)
    at = Column(DateTime(timezone=True), nullable=False)
    __table_args__ = (
        ForeignKeyConstraint(["warehouse", "product_id"], ["stock.warehouse", "stock.product_id"]),
        Index("ix_movement_recent", "at", postgresql_where=text("delta > 0"), sqlite_where=text("delta > 0")),
    )


Index("ix_movement_pair", Movement.product_id, Movement.at.desc())
