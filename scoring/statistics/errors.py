"""What statistics refuses to compute; whoever knows the file turns it into an ``InputError`` with its place."""

from __future__ import annotations


class TooFew(ValueError):
    """There are fewer values than the method needs.

    Attributes:
        given: how many there are.
        needed: how many there must be.
    """

    def __init__(self, what: str, given: int, needed: int) -> None:
        self.given, self.needed = given, needed
        super().__init__(f"{what}: at least {needed} are needed, and there are {given}")
