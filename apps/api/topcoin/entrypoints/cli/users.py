"""`topcoin users`: create customers and staff."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topcoin.entrypoints.cli.perform import perform
from topcoin.kernel.access import Actor, ActorKind, StaffRole
from topcoin.kernel.clock import SystemClock
from topcoin.kernel.errors import Invalid

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

app = typer.Typer(help="Create customers and staff.", no_args_is_help=True)

_COUNT_MAX = 100_000
_CONSOLE = Actor(ActorKind.OPERATOR)
_CREATED_AS_STAFF = "Created as a member of the staff by the operator, at the console"


class PasswordFileUnreadable(Invalid):
    """The file that should hold the password cannot be read."""

    code = "password_file_unreadable"


@app.callback()
def users() -> None:
    """Create customers and staff."""


@app.command()
def create(
    *,
    email: Annotated[str, typer.Option(help="Where to reach the user; nobody else may have it.")],
    name: Annotated[str, typer.Option(help="How the user is called.")],
    password_file: Annotated[
        Path | None, typer.Option(help="A file that holds the password; without one, no password fits.")
    ] = None,
    staff: Annotated[StaffRole | None, typer.Option(help="A member of the staff, who has no account.")] = None,
    country: Annotated[str | None, typer.Option(help="Of residence, two letters.")] = None,
    count: Annotated[
        int | None,
        typer.Option(min=1, max=_COUNT_MAX, help="Create so many: a+1@b.c, a+2@b.c…, all or none, one password."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs, one JSON document a user.")] = False,
) -> None:
    """Create a user, and a customer's account."""
    from topcoin.identity.passwords.service import (  # noqa: PLC0415 - SQLAlchemy is slow to import
        UNUSABLE_PASSWORD,
        hash_password,
    )
    from topcoin.identity.roles.service import grant_role  # noqa: PLC0415 - likewise
    from topcoin.identity.service import create_user  # noqa: PLC0415 - likewise
    from topcoin.ledger.accounts.service import open_account  # noqa: PLC0415 - likewise

    emails = [email] if count is None else [_numbered(email, number) for number in range(1, count + 1)]
    hashed_password = UNUSABLE_PASSWORD if password_file is None else hash_password(_read_password(password_file))
    clock = SystemClock()

    async def work(session: "AsyncSession") -> "list[tuple[str, UUID, UUID | None]]":
        created: list[tuple[str, UUID, UUID | None]] = []
        for address in emails:
            user_id = await create_user(
                session,
                clock,
                email=address,
                display_name=name,
                hashed_password=hashed_password,
                country=None if country is None else country.upper(),
            )
            account_id = None
            if staff is None:
                account_id = await open_account(session, clock, user_id)
            else:
                await grant_role(session, clock, _CONSOLE, user_id=user_id, role=staff, reason=_CREATED_AS_STAFF)
            created.append((address, user_id, account_id))
        return created

    for address, user_id, account_id in perform(work):
        if as_json:
            account = None if account_id is None else str(account_id)
            typer.echo(json.dumps({"user_id": str(user_id), "account_id": account, "email": address}))
        else:
            has = f"account {account_id}" if staff is None else f"staff, {staff}"
            typer.echo(f"created {address}: user {user_id}, {has}")


def _numbered(email: str, number: int) -> str:
    local_part, at, domain = email.rpartition("@")
    return f"{local_part}+{number}{at}{domain}"


def _read_password(file: Path) -> str:
    """The first and only line of a file."""
    try:
        return file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise PasswordFileUnreadable(f"the password cannot be read from {file}: {error}") from None
