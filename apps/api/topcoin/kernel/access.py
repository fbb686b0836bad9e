"""Who acts, and what each may do: actors, staff roles, permissions, and the access that every route declares. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from topcoin.kernel.errors import Forbidden


class ActorKind(StrEnum):
    """In which capacity somebody acts."""

    PUBLIC = "public"
    """Anybody, signed in or not."""
    CUSTOMER = "customer"
    STAFF = "staff"
    PROVIDER = "provider"
    """The payment processor, which signs what it sends."""
    OPERATOR = "operator"
    """Whoever runs the installation: probes, metrics."""


class StaffRole(StrEnum):
    """What a member of the staff is there for."""

    SUPPORT = "support"
    COMPLIANCE = "compliance"
    TREASURY = "treasury"
    PLAN_MANAGER = "plan_manager"
    AUDITOR = "auditor"
    """Reads everything, changes nothing."""
    ADMIN = "admin"
    """Grants roles. Not exempt from the rule of two people."""


class Permission(StrEnum):
    """What an act needs: of a member of the staff by their roles, of an API key by its scopes.

    A name is `object.act`. Those whose act is `read` change nothing.
    """

    PROFILE_READ = "profile.read"
    PROFILE_MANAGE = "profile.manage"
    SESSIONS_READ = "sessions.read"
    SESSIONS_MANAGE = "sessions.manage"
    API_KEYS_READ = "api_keys.read"
    API_KEYS_MANAGE = "api_keys.manage"
    ACCOUNTS_READ = "accounts.read"
    LEDGER_READ = "ledger.read"
    MARKET_READ = "market.read"
    USERS_READ = "users.read"
    ROLES_GRANT = "roles.grant"
    AUDITS_READ = "audits.read"

    @property
    def only_reads(self) -> bool:
        """Whether what it permits changes nothing."""
        return self.value.endswith(".read")


_OWN: Final = frozenset(
    {
        Permission.PROFILE_READ,
        Permission.PROFILE_MANAGE,
        Permission.SESSIONS_READ,
        Permission.SESSIONS_MANAGE,
        Permission.API_KEYS_READ,
        Permission.API_KEYS_MANAGE,
    }
)
"""What everybody who is signed in may do with what is their own."""

_READS: Final = frozenset(permission for permission in Permission if permission.only_reads)

CUSTOMER_PERMISSIONS: Final = _OWN | {Permission.ACCOUNTS_READ, Permission.LEDGER_READ, Permission.MARKET_READ}
"""What a customer may do, with their own accounts and nobody else's."""

LEFT_TO_THE_BANNED: Final = frozenset({*_READS, Permission.SESSIONS_MANAGE}) & CUSTOMER_PERMISSIONS
"""What a ban leaves a customer: to see what is theirs and to sign out, and with them whatever is a way out (trust rule
T2: statements, proofs, withdrawal requests, complaints). What starts something new is not in it."""

ROLE_PERMISSIONS: Final[Mapping[StaffRole, frozenset[Permission]]] = MappingProxyType(
    {
        StaffRole.SUPPORT: _OWN
        | {Permission.USERS_READ, Permission.ACCOUNTS_READ, Permission.LEDGER_READ, Permission.MARKET_READ},
        StaffRole.COMPLIANCE: _OWN
        | {
            Permission.USERS_READ,
            Permission.ACCOUNTS_READ,
            Permission.LEDGER_READ,
            Permission.MARKET_READ,
            Permission.AUDITS_READ,
        },
        StaffRole.TREASURY: _OWN
        | {Permission.USERS_READ, Permission.ACCOUNTS_READ, Permission.LEDGER_READ, Permission.MARKET_READ},
        StaffRole.PLAN_MANAGER: _OWN | {Permission.MARKET_READ},
        StaffRole.AUDITOR: _OWN | _READS,
        StaffRole.ADMIN: _OWN | _READS | {Permission.ROLES_GRANT},
    }
)
"""What each role may do. Who has several may do what any of them may."""

NEVER_BY_KEY: Final = frozenset(
    {Permission.SESSIONS_MANAGE, Permission.API_KEYS_MANAGE, Permission.PROFILE_MANAGE, Permission.ROLES_GRANT}
)
"""What takes a person who has signed in: a leaked API key must not be able to make more of itself."""


class NotSignedIn(Forbidden):
    """It has not been proved who acts. What fails for want of a good credential subclasses this."""

    code = "not_signed_in"


class NotPermitted(Forbidden):
    """The actor is known, but may not do this."""

    code = "not_permitted"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who sent a request, as far as it has been proved, and from where.

    Nobody has signed in where `user_id` is None. A sign-in is by session or by API key, never both; `scopes` limit an
    API key to some of what its owner may do.
    """

    kind: ActorKind
    user_id: UUID | None = None
    roles: frozenset[StaffRole] = frozenset()
    session_id: UUID | None = None
    api_key_id: UUID | None = None
    scopes: frozenset[Permission] = frozenset()
    is_banned: bool = False
    ip_address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    permissions: frozenset[Permission] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "permissions", self._permissions())

    def _permissions(self) -> frozenset[Permission]:
        if self.user_id is None:
            return frozenset()
        permitted = CUSTOMER_PERMISSIONS if self.kind is ActorKind.CUSTOMER else permissions_of(self.roles)
        if self.is_banned:
            permitted &= LEFT_TO_THE_BANNED
        return permitted if self.api_key_id is None else permitted & self.scopes - NEVER_BY_KEY

    @property
    def is_signed_in(self) -> bool:
        """Whether it has been proved who this is."""
        return self.user_id is not None

    def require(self, permission: Permission) -> None:
        """Raise NotPermitted where the actor lacks a permission."""
        if permission not in self.permissions:
            if self.is_banned and permission in CUSTOMER_PERMISSIONS:
                raise NotPermitted(
                    "a ban leaves reading, withdrawing and complaining, and nothing else; write to support"
                )
            means = "this API key needs the scope" if self.api_key_id else "this needs the permission"
            raise NotPermitted(f"{means} {permission}; ask for it, or act as somebody who has it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a route asks of whoever calls it, declared beside it.

    Args:
        actors: The kinds of actor that may call it; PUBLIC admits everybody, and asks for nothing.
        permission: What the actor must be permitted; None for PUBLIC, PROVIDER and OPERATOR alone.
        audit: The action under which the call is recorded; None where it changes nothing that is audited.
        idempotent: Whether an `Idempotency-Key` is required, and the answer kept and replayed.

    """

    actors: frozenset[ActorKind]
    permission: Permission | None = None
    audit: str | None = None
    idempotent: bool = False

    def __post_init__(self) -> None:
        signed_in = self.needs_sign_in
        if not self.actors or (signed_in and self.actors - {ActorKind.CUSTOMER, ActorKind.STAFF}):
            msg = "an access names customers, staff or both, or else others alone"
            raise ValueError(msg)
        if signed_in != (self.permission is not None):
            msg = "an access of customers or staff names a permission, and no other does"
            raise ValueError(msg)
        if self.idempotent and not signed_in:
            msg = "an idempotency key belongs to a user: an idempotent access is of customers or staff"
            raise ValueError(msg)

    @property
    def needs_sign_in(self) -> bool:
        """Whether the caller must have signed in."""
        return not self.actors.isdisjoint({ActorKind.CUSTOMER, ActorKind.STAFF})


def permissions_of(roles: Iterable[StaffRole]) -> frozenset[Permission]:
    """What somebody with these staff roles may do."""
    return frozenset[Permission]().union(*(ROLE_PERMISSIONS[role] for role in roles))


def public() -> Access:
    """Anybody may read this."""
    return Access(actors=frozenset({ActorKind.PUBLIC}))


def customers(permission: Permission, *, audit: str | None = None, idempotent: bool = False) -> Access:
    """Customers, each with what is their own."""
    return Access(actors=frozenset({ActorKind.CUSTOMER}), permission=permission, audit=audit, idempotent=idempotent)


def staff(permission: Permission, *, audit: str | None = None, idempotent: bool = False) -> Access:
    """Members of the staff whose roles permit it."""
    return Access(actors=frozenset({ActorKind.STAFF}), permission=permission, audit=audit, idempotent=idempotent)


def signed_in(permission: Permission, *, audit: str | None = None, idempotent: bool = False) -> Access:
    """Customers and staff alike, each with what is their own."""
    return Access(
        actors=frozenset({ActorKind.CUSTOMER, ActorKind.STAFF}),
        permission=permission,
        audit=audit,
        idempotent=idempotent,
    )
