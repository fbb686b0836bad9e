"""The frame's `Authenticator`, by sessions and API keys.

Every request asks anew, so that whoever is banned, switched off, signed out or stripped of a role is so at the next.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.http.authentication import Principal
from topcoin.identity.api_keys.service import find_by_secret
from topcoin.identity.sessions.service import find_by_token
from topcoin.identity.tokens.domain import csrf_token
from topcoin.kernel.clock import Clock


class TokenAuthenticator:
    """Tells whose a session's token or an API key is."""

    async def by_session(self, session: AsyncSession, clock: Clock, token: str) -> Principal | None:
        """Whose live session has this token."""
        found = await find_by_token(session, clock, token)
        if found is None:
            return None
        live, user = found
        return Principal(
            user_id=user.id,
            roles=user.roles,
            session_id=live.id,
            csrf_token=csrf_token(token),
            is_banned=user.is_banned,
        )

    async def by_api_key(self, session: AsyncSession, clock: Clock, key: str) -> Principal | None:
        """Whose live API key this is."""
        found = await find_by_secret(session, clock, key)
        if found is None:
            return None
        live, user = found
        return Principal(
            user_id=user.id, roles=user.roles, api_key_id=live.id, scopes=live.scopes, is_banned=user.is_banned
        )
