"""/session: sign in, who am I, sign out."""

from __future__ import annotations

import time
from typing import Annotated

from pydantic import Field

from commhub.api.consultations import Body
from commhub.api.gate import COOKIE, Buckets
from commhub.api.routes import PUBLIC, SIGNED_IN, Call, Routes
from commhub.auth import PASSWORD_LIMIT, Auth, SignIn
from commhub.directory import Directory
from commhub.views import Granted, OrgName, Self, Session

NOTICE_VERSION = "1"  # of the notice about recording that joining people see


class Credentials(Body):
    account: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=PASSWORD_LIMIT, repr=False)]


def routes(auth: Auth, directory: Directory, attempts: Buckets) -> Routes:
    r = Routes()

    async def shown(sign_in: SignIn) -> Session:
        actor = sign_in.actor
        return Session(
            person=Self(
                id=actor.id,
                name=actor.name,
                account=actor.account,
                post=actor.post,
                level=actor.level,
                org=OrgName(id=actor.org, name=actor.org_name),
            ),
            roles=[Granted(role=grant.role, org_id=grant.org) for grant in actor.grants],
            permissions=actor.permissions,
            csrf=sign_in.csrf,
            city=await directory.city(),
            notice_version=NOTICE_VERSION,
        )

    @r.post("/session", PUBLIC, "Sign in; sets the session cookie.")
    async def sign_in(call: Call, body: Credentials) -> Session:
        address = call.actor.address
        attempts.take(address, time.monotonic())
        done = await auth.sign_in(body.account, body.password, address)
        attempts.give_back(address)
        # No Max-Age: the server decides when it ends. Lax, so that a link in a message opens the page signed in.
        call.finish = lambda response: response.set_cookie(
            COOKIE, done.token, path="/", secure=True, httponly=True, samesite="Lax"
        )
        return await shown(done)

    @r.get("/session", SIGNED_IN, "Who is signed in, and what he may do.")
    async def session(call: Call) -> Session:
        return await shown(SignIn(call.token, call.actor))

    @r.delete("/session", SIGNED_IN, "Sign out.")
    async def sign_out(call: Call) -> None:
        await auth.sign_out(SignIn(call.token, call.actor))
        call.finish = lambda response: response.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Lax")

    return r
