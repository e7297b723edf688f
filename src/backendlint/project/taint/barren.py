"""What was found to lead nowhere: parameters that no source's data reaches, remembered across sinks."""

from __future__ import annotations

from dataclasses import dataclass, field

from backendlint.project.taint.labels import Path

State = tuple[str, int, Path]
"""A function's fqn, a parameter's index, the part of it that is meant."""


@dataclass(slots=True)
class Search:
    """One way upwards from a sink: which states were seen, and which led to a source."""

    seen: set[State] = field(default_factory=set)
    before: dict[State, list[State]] = field(default_factory=dict)
    """States from which each was reached."""
    fruitful: set[State] = field(default_factory=set)
    cut: bool = False
    """True where something was not followed to its end: then nothing is known to be barren."""

    def link(self, state: State, following: State) -> None:
        """`following` was reached from `state`."""
        self.before.setdefault(following, []).append(state)

    def barren(self) -> set[State]:
        """States from which no source can be reached."""
        if self.cut:
            return set()
        todo, fruitful = list(self.fruitful), set(self.fruitful)
        while todo:
            for state in self.before.get(todo.pop(), ()):
                if state not in fruitful:
                    fruitful.add(state)
                    todo.append(state)
        return self.seen - fruitful
