"""SQLAlchemy 2.0 style: Mapped annotations with and without mapped_column."""

from __future__ import annotations

import enum
import uuid
from datetime import date, datetime
from typing import Any, List, Optional

from sqlalchemy import Column, Computed, ForeignKey, Identity, Index, Integer, String, Table, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, TenantMixin, TimestampMixin, intpk, money, short, user_fk


class Role(str, enum.Enum):
    admin = "admin"
    member = "member"


members = Table(
    "members",
    Base.metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("team_id", ForeignKey("teams.id"), primary_key=True),
)


class Tenant(Base):
    __tablename__ = "tenants"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class User(TimestampMixin, TenantMixin, Base):
    __tablename__ = "users"

    id: Mapped[intpk]
    email: Mapped[str] = mapped_column(String(255), unique=True)
    nickname: Mapped[Optional[str]] = mapped_column(String(30))
    role: Mapped[Role] = mapped_column(default=Role.member)
    born: Mapped[Optional[date]]
    score: Mapped[float] = mapped_column(default=0.0)
    settings: Mapped[dict[str, Any]]
    labels: Mapped[list[str]]
    steps: Mapped[list[dict[str, Any]] | None]
    external: Mapped[Optional[uuid.UUID]] = mapped_column(index=True)
    is_admin: Mapped[bool] = mapped_column("admin_flag", server_default=text("false"))
    manager_id: Mapped[Optional[int]] = mapped_column(ForeignKey("users.id"))
    teams: Mapped[List[Team]] = relationship(secondary=members, back_populates="users")
    manager: Mapped[Optional[User]] = relationship(remote_side=[id])

    __table_args__ = (
        UniqueConstraint("tenant_id", "nickname", name="uq_users_tenant_nickname"),
        Index("ix_users_open", "tenant_id", "born", unique=True, postgresql_where=text("score > 0")),
    )


class Team(Base):
    __tablename__ = "teams"
    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    title: Mapped[short]
    owner_id: Mapped[user_fk]
    users: Mapped[List["User"]] = relationship(secondary=members, back_populates="teams")


class Invoice(TimestampMixin, Base):
    __tablename__ = "invoices"
    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id", ondelete="RESTRICT"))
    net: Mapped[money]
    tax: Mapped[money] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(Computed("1 + 1"))
    due: Mapped[datetime]
