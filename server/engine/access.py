"""Who somebody is and what they may follow."""

from dataclasses import dataclass
from typing import Literal

from schemas.envelope import Id, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who speaks: a profile or a guest, with a role in an organisation; `expires` in epoch seconds."""

    kind: Literal["profile", "guest"]
    id: Id
    role: Role
    org: str = "default"
    expires: float | None = None

    @property
    def key(self) -> str:
        """Return the name under which an identity's requests and rooms are kept."""
        return f"{self.kind}_{self.id}"

    @property
    def is_author(self) -> bool:
        """Tell whether this identity may write content and grade others' chats."""
        return self.role in ("author", "admin")
