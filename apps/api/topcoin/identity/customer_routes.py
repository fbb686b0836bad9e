"""Signing in and out, and what is one's own: profile, sessions, API keys. For customers and staff alike."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from fastapi import Response
from starlette.requests import Request

from topcoin.http.authentication import SESSION_COOKIE
from topcoin.http.dependencies import ActorDep, ClockDep, ReadSessionDep, SessionDep, SettingsDep
from topcoin.http.errors import InvalidCredentials
from topcoin.http.routing import Router
from topcoin.http.schemas import PAGE_SIZE_DEFAULT, CursorQuery, LimitQuery, PageOf
from topcoin.identity import service
from topcoin.identity.api_keys import service as api_keys
from topcoin.identity.errors import (
    ApiKeyNotFound,
    InvalidApiKey,
    InvalidProfile,
    SessionNotFound,
    SignInsBusy,
    TooManyApiKeys,
    UserBanned,
    UserInactive,
    UserNotFound,
    WrongPassword,
)
from topcoin.identity.schemas import (
    ApiKeyRequest,
    ApiKeySchema,
    Login,
    Me,
    NewApiKeySchema,
    ProfileChange,
    ReauthenticatedSchema,
    Reauthentication,
    SessionSchema,
    SignedInSchema,
    UserSchema,
)
from topcoin.identity.sessions import service as sessions
from topcoin.identity.tokens.domain import csrf_token
from topcoin.infra.settings import Environment, Settings
from topcoin.kernel.access import Access, Actor, ActorKind, NotSignedIn, Permission, signed_in
from topcoin.kernel.pages import InvalidCursor

router = Router(tags=["identity"])

_SIGN_IN: Final = Access(actors=frozenset({ActorKind.PUBLIC}), audit=sessions.SIGN_IN.code)


@router.post(
    "/auth/login",
    access=_SIGN_IN,
    errors=[InvalidCredentials, UserInactive, UserBanned, SignInsBusy],
    summary="Sign in",
)
async def sign_in(
    login: Login,
    request: Request,
    response: Response,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    settings: SettingsDep,
) -> SignedInSchema:
    """Start a session. The answer sets its cookie; the session that the browser had before ends."""
    signed = await sessions.sign_in(
        session,
        clock,
        actor,
        email=login.email,
        password=login.password.get_secret_value(),
        replaces_token=request.cookies.get(SESSION_COOKIE),
    )
    _set_cookie(response, settings, signed.token, signed.session.expires_at - signed.session.created_at)
    return SignedInSchema(
        user=UserSchema.of(signed.user), csrf_token=csrf_token(signed.token), expires_at=signed.session.expires_at
    )


@router.post(
    "/auth/logout",
    access=signed_in(Permission.SESSIONS_MANAGE, audit=sessions.SIGN_OUT.code),
    errors=[SessionNotFound],
    status_code=204,
    summary="Sign out",
)
async def sign_out(
    response: Response, session: SessionDep, actor: ActorDep, clock: ClockDep, settings: SettingsDep
) -> None:
    """End this session."""
    await sessions.sign_out(session, clock, actor)
    _set_cookie(response, settings, "", timedelta(0))


@router.post(
    "/auth/reauthenticate",
    access=signed_in(Permission.SESSIONS_MANAGE, audit=sessions.REAUTHENTICATE.code),
    errors=[WrongPassword, SessionNotFound, SignInsBusy],
    summary="Give the password again",
)
async def reauthenticate(
    given: Reauthentication, session: SessionDep, actor: ActorDep, clock: ClockDep
) -> ReauthenticatedSchema:
    """Give the password again, before something that asks for it."""
    live = await sessions.reauthenticate(session, clock, actor, password=given.password.get_secret_value())
    return ReauthenticatedSchema(reauthenticated_at=live.reauthenticated_at)


@router.get("/me", access=signed_in(Permission.PROFILE_READ), errors=[UserNotFound], summary="Who is signed in")
async def read_me(request: Request, session: ReadSessionDep, actor: ActorDep) -> Me:
    """The user, and the CSRF token of the session."""
    user = await service.get_user(session, _own_id(actor))
    token = request.cookies.get(SESSION_COOKIE)
    by_cookie = actor.session_id is not None and token is not None
    return Me(user=UserSchema.of(user), csrf_token=csrf_token(token) if by_cookie and token else None)


@router.patch(
    "/me",
    access=signed_in(Permission.PROFILE_MANAGE, audit=service.UPDATE_PROFILE.code),
    errors=[InvalidProfile, UserNotFound],
    summary="Change the profile",
)
async def update_me(change: ProfileChange, session: SessionDep, actor: ActorDep, clock: ClockDep) -> UserSchema:
    """Change what one is called."""
    user = await service.update_profile(session, clock, actor, user_id=_own_id(actor), display_name=change.display_name)
    return UserSchema.of(user)


@router.get(
    "/me/sessions", access=signed_in(Permission.SESSIONS_READ), errors=[InvalidCursor], summary="List live sessions"
)
async def list_sessions(
    session: ReadSessionDep,
    actor: ActorDep,
    clock: ClockDep,
    cursor: CursorQuery = None,
    limit: LimitQuery = PAGE_SIZE_DEFAULT,
) -> PageOf[SessionSchema]:
    """One's live sessions on all devices, the newest first."""
    page = await sessions.list_sessions(session, clock, _own_id(actor), cursor=cursor, limit=limit)
    return PageOf[SessionSchema].of(page, lambda each: SessionSchema.of(each, actor.session_id))


@router.delete(
    "/me/sessions/{session_id}",
    access=signed_in(Permission.SESSIONS_MANAGE, audit=sessions.REVOKE_SESSION.code),
    errors=[SessionNotFound],
    status_code=204,
    summary="Revoke a session",
)
async def revoke_session(session_id: UUID, session: SessionDep, actor: ActorDep, clock: ClockDep) -> None:
    """End one of one's sessions, on whatever device."""
    await sessions.revoke_session(session, clock, actor, session_id)


@router.post(
    "/me/api-keys",
    access=signed_in(Permission.API_KEYS_MANAGE, audit=api_keys.CREATE_API_KEY.code),
    errors=[InvalidApiKey, TooManyApiKeys, UserNotFound],
    status_code=201,
    summary="Create an API key",
)
async def create_api_key(
    wanted: ApiKeyRequest, session: SessionDep, actor: ActorDep, clock: ClockDep
) -> NewApiKeySchema:
    """Create a key. Its secret is in this answer and nowhere else, so that the answer is not kept to be repeated."""
    made = await api_keys.create_api_key(
        session,
        clock,
        actor,
        user_id=_own_id(actor),
        name=wanted.name,
        scopes=wanted.scopes,
        expires_at=wanted.expires_at,
    )
    return NewApiKeySchema(api_key=ApiKeySchema.of(made.key), secret=made.secret)


@router.get("/me/api-keys", access=signed_in(Permission.API_KEYS_READ), errors=[InvalidCursor], summary="List API keys")
async def list_api_keys(
    session: ReadSessionDep, actor: ActorDep, cursor: CursorQuery = None, limit: LimitQuery = PAGE_SIZE_DEFAULT
) -> PageOf[ApiKeySchema]:
    """One's keys, the newest first, those that were revoked or have expired among them."""
    page = await api_keys.list_api_keys(session, _own_id(actor), cursor=cursor, limit=limit)
    return PageOf[ApiKeySchema].of(page, ApiKeySchema.of)


@router.delete(
    "/me/api-keys/{key_id}",
    access=signed_in(Permission.API_KEYS_MANAGE, audit=api_keys.REVOKE_API_KEY.code),
    errors=[ApiKeyNotFound],
    status_code=204,
    summary="Revoke an API key",
)
async def revoke_api_key(key_id: UUID, session: SessionDep, actor: ActorDep, clock: ClockDep) -> None:
    """End a key at once."""
    await api_keys.revoke_api_key(session, clock, actor, user_id=_own_id(actor), key_id=key_id)


def _own_id(actor: Actor) -> UUID:
    if actor.user_id is None:
        raise NotSignedIn("sign in, or send an API key as: Authorization: Bearer <api key>")
    return actor.user_id


def _set_cookie(response: Response, settings: Settings, token: str, lasts: timedelta) -> None:
    """Set the session's cookie, out of reach of scripts and of other sites' forms; without a duration, remove it."""
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=int(lasts.total_seconds()),
        path="/",
        secure=settings.env is not Environment.DEVELOPMENT,
        httponly=True,
        samesite="lax",
    )
