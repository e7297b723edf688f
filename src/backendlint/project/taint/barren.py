"""What was found to lead nowhere: parameters that no source's data reaches, remembered across sinks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from backendlint.project.taint.labels import Path

State = tuple[str, int, Path, int]
"""A function's fqn, a parameter's index, the part of it that is meant, and the block in which it goes on, where that is
not always run (else -1)."""
MAX_PARTS = 12
"""Parts of parts of one parameter that are followed: objects that refer to each other have as many as ways around."""


@dataclass(slots=True)
class Search:
    """One way upwards from a sink: which states were seen, and which led to a source."""

    seen: set[State] = field(default_factory=set)
    before: dict[State, list[State]] = field(default_factory=dict)
    """States from which each was reached."""
    fruitful: set[State] = field(default_factory=set)
    """States that led to a source, or were not followed to their end."""
    parts: Counter[tuple[str, int]] = field(default_factory=Counter)

    def enter(self, state: State) -> bool:
        """Whether the state is to be followed now: it is new, and not one part too many of its parameter."""
        if state in self.seen:
            return False
        if len(state[2]) > 1:
            if self.parts[state[:2]] >= MAX_PARTS:
                return False
            self.parts[state[:2]] += 1
        self.seen.add(state)
        return True

    def link(self, state: State, following: State) -> None:
        """`following` was reached from `state`."""
        self.before.setdefault(following, []).append(state)

    def barren(self) -> set[State]:
        """States from which no source can be reached."""
        todo, fruitful = list(self.fruitful), set(self.fruitful)
        while todo:
            for state in self.before.get(todo.pop(), ()):
                if state not in fruitful:
                    fruitful.add(state)
                    todo.append(state)
        return self.seen - fruitful
