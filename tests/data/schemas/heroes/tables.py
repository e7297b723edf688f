"""SQLModel: annotated fields, shared bases, a link table."""

import uuid
from datetime import datetime
from decimal import Decimal
from typing import List, Optional

from sqlalchemy import Column, Text, UniqueConstraint
from sqlmodel import Field, Relationship, SQLModel


class HeroTeamLink(SQLModel, table=True):
    hero_id: Optional[int] = Field(default=None, foreign_key="hero.id", primary_key=True)
    team_id: Optional[int] = Field(default=None, foreign_key="team.id", primary_key=True)
    is_training: bool = False


class HeroBase(SQLModel):
    name: str = Field(index=True, max_length=60)
    secret_name: str
    age: Optional[int] = Field(default=None, index=True)


class Hero(HeroBase, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    code: uuid.UUID = Field(default_factory=uuid.uuid4, unique=True)
    biography: Optional[str] = Field(default=None, sa_column=Column(Text))
    pay: Decimal = Field(default=0, max_digits=8, decimal_places=2)
    joined: datetime
    teams: List["Team"] = Relationship(back_populates="heroes", link_model=HeroTeamLink)


class Team(SQLModel, table=True):
    __tablename__ = "team"
    __table_args__ = (UniqueConstraint("headquarters", "name", name="uq_team_place"),)
    id: int | None = Field(default=None, primary_key=True)
    name: str
    headquarters: str | None = None
    heroes: List[Hero] = Relationship(back_populates="teams", link_model=HeroTeamLink)
    nickname: str | None = Field(default=None, nullable=False)


class HeroCreate(HeroBase):
    password: str
