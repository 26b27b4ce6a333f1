"""Builds the web UI: sign-in, pages with their JSON twins and live streams, and the forms of what may be done."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

from pydantic import ConfigDict, TypeAdapter
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from controlplane.client import ApiError, Unreachable
from controlplane.ui import render
from controlplane.ui.action import LONGEST_REASON, REASON, Verb
from controlplane.ui.assets import all_assets
from controlplane.ui.live import Turns, changes
from controlplane.ui.page import Ask, Found, Page
from controlplane.ui.pages import ALL
from controlplane.ui.people import People, Person
from controlplane.ui.safety import SafeHeaders, is_encrypted, is_ours, local_path
from controlplane.ui.sessions import LIFE_SECONDS, Session, Sessions
from controlplane.ui.verbs import VERBS, maker_of, verb_of
from schemas.roles import Role

JSON: Final = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="constants"))
COOKIE: Final = "graftwork"
FORM_KEY: Final = "form_key"
LONGEST_FORM: Final = 20_000
READER: Final[Role] = "viewer"
UNAUTHORIZED: Final = 401


class UI:
    """One process of it."""

    def __init__(self, api_url: str, sessions_folder: Path) -> None:
        self._api_url = api_url
        self._sessions = Sessions(sessions_folder)
        self._people = People(api_url)
        self._turns = Turns()

    def app(self) -> Starlette:
        pages = [(page, "/" if page.path == "/" else page.path) for page in ALL]
        return Starlette(
            routes=[
                Route("/healthz", self._healthy),
                Route("/assets/{digest}/{name}", self._asset),
                Route("/sign-in", self._show_sign_in, methods=["GET"]),
                Route("/sign-in", self._sign_in, methods=["POST"]),
                Route("/sign-out", self._sign_out, methods=["POST"]),
                *(Route(f"/live{path}", partial(self._live, page)) for page, path in pages),
                *(Route(path, partial(self._show, page)) for page, path in pages),
                *(Route(f"/{noun}/{{name}}/{{verb}}", partial(self._act, noun), methods=["POST"]) for noun in VERBS),
                *(Route(f"/{noun}", partial(self._act, noun), methods=["POST"]) for noun in VERBS if maker_of(noun)),
            ],
            middleware=[Middleware(SafeHeaders), Middleware(GZipMiddleware, minimum_size=1000)],
            lifespan=self._running,
            exception_handlers={HTTPException: self._refused, ApiError: self._api_refused, Unreachable: self._away},
        )

    @asynccontextmanager
    async def _running(self, _app: Starlette) -> AsyncIterator[None]:
        yield
        self._people.close()

    # --- who is there -------------------------------------------------------------------------------------------------

    def _person(self, request: Request) -> Person | None:
        session = self._sessions.find(request.cookies.get(_cookie(request)))
        return self._people.of(session) if session else None

    async def _show_sign_in(self, request: Request) -> Response:
        return _page("sign_in.html", {"next": local_path(request.query_params.get("next")), "fault": None})

    async def _sign_in(self, request: Request) -> Response:
        """A new session each time, whatever cookie the browser had."""
        form = await _form(request)
        onward, token = local_path(form.get("next")), form.get("token", "").strip()
        if not is_ours(request.headers):
            raise HTTPException(403, "this form was sent from another site")
        try:
            with self._people.client(token) as client:
                caller = await run_in_threadpool(client.caller)
        except (ApiError, Unreachable) as error:
            status = error.code if isinstance(error, ApiError) else 503
            return _page("sign_in.html", {"next": onward, "fault": str(error)}, status=status)
        if READER not in caller.acts_as:
            fault = f"a token of role {caller.role} reads nothing here: sign in as a {READER} or more"
            return _page("sign_in.html", {"next": onward, "fault": fault}, status=403)
        if (before := self._sessions.find(request.cookies.get(_cookie(request)))) is not None:
            self._end(before)
        answer = RedirectResponse(onward, 303)
        answer.set_cookie(
            _cookie(request),
            self._sessions.begin(token, caller),
            max_age=LIFE_SECONDS,
            httponly=True,
            samesite="strict",
            secure=is_encrypted(request),
        )
        return answer

    async def _sign_out(self, request: Request) -> Response:
        form = await _form(request)
        if (person := self._person(request)) is not None:
            _prove(request, person, form)
            self._end(person.session)
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(_cookie(request), httponly=True, samesite="strict", secure=is_encrypted(request))
        return answer

    def _end(self, session: Session) -> None:
        self._sessions.end(session)
        self._people.forget(session)

    # --- pages --------------------------------------------------------------------------------------------------------

    async def _show(self, page: Page, request: Request) -> Response:
        person = self._person(request)
        form = request.query_params.get("format")
        if person is None:
            if form:
                raise HTTPException(401, "sign in first")
            return RedirectResponse(f"/sign-in?next={quote(_address(request))}", 303)
        _admit(page, person)
        found = await run_in_threadpool(page.look, self._ask(person, request))
        if form == "json":
            return Response(JSON.dump_json(dict(found), indent=1), media_type="application/json")
        context = self._context(page, person, found, request.path_params, request.query_params)
        if form == "report":
            return _report(page, {**context, "actions": [], "standalone": True, "now": datetime.now(UTC)})
        return _page(page.template, context)

    async def _live(self, page: Page, request: Request) -> Response:
        person = self._person(request)
        if person is None:
            raise HTTPException(401, "sign in first")
        _admit(page, person)
        names, options, ask = request.path_params, request.query_params, self._ask(person, request)

        def look() -> tuple[Found, Mapping[str, str]]:
            if self._sessions.find(request.cookies.get(_cookie(request)), in_person=False) is None:
                raise ApiError(UNAUTHORIZED, "unauthorized", "You were signed out", "sign in again")
            found = page.look(ask)
            return found, render.fragments(page, self._context(page, person, found, names, options))

        stream = changes(page, look, person.bell, self._turns)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"cache-control": "no-store"})

    def _ask(self, person: Person, request: Request) -> Ask:
        return Ask(person.client, person.session.caller, request.path_params, request.query_params)

    def _context(
        self, page: Page, person: Person, found: Found, names: Mapping[str, str], options: Mapping[str, str]
    ) -> dict[str, Any]:
        actions = [one for one in page.actions(found) if one.verb.needs in person.session.caller.acts_as]
        path = page.path.format_map({name: quote(value, safe="") for name, value in names.items()})
        query = "&".join(f"{quote(name)}={quote(value)}" for name, value in options.items())
        return {
            **found,
            **_signed_in(person),
            "actions": actions,
            "here": path,
            "live": f"/live{path}" + (f"?{query}" if query else ""),
            "as_json": f"{path}?" + "&".join(filter(None, (query, "format=json"))),
            "as_report": f"{path}?" + "&".join(filter(None, (query, "format=report"))),
            "longest_reason": LONGEST_REASON,
        }

    # --- what is done -------------------------------------------------------------------------------------------------

    async def _act(self, noun: str, request: Request) -> Response:
        """Back to where the form was, or on to what it made, which is shown this once and kept nowhere.

        What was refused, or could not be sent, is shown with what had been typed.
        """
        form, person = await _form(request), self._person(request)
        if person is None:
            raise HTTPException(401, "you were signed out: sign in and send it again")
        _prove(request, person, form)
        asked, of = request.path_params.get("verb"), request.path_params.get("name", "")
        verb = maker_of(noun) if asked is None else verb_of(noun, asked)
        if verb is None:
            raise HTTPException(404, f"{noun} have no {asked!r}")
        onward = local_path(form.get("back"))
        try:
            if verb.reason and not form.get(REASON, "").strip():
                raise ApiError(422, "invalid", "A reason is missing", "say why: it is kept for good", field=REASON)
            made = await run_in_threadpool(verb.send, person.client, of, form)
        except ApiError as error:
            if error.code == UNAUTHORIZED:
                raise
            return self._again(person, verb, request, form, str(error), error.code)
        except Unreachable as error:
            unsent = "no answer came, so it may have been made: look first" if verb.makes else "it was not sent"
            return self._again(person, verb, request, form, f"{unsent}: {error!s}", 503)
        if verb.answer is not None:
            return _page(verb.answer, {**_signed_in(person), "made": made, "back": onward})
        return RedirectResponse(onward, 303)

    def _again(
        self, person: Person, verb: Verb, request: Request, form: Mapping[str, str], fault: str, status: int
    ) -> Response:
        context = {
            **_signed_in(person),
            "verb": verb,
            "path": request.url.path,
            "form": {name: value for name, value in form.items() if name != FORM_KEY},
            "back": local_path(form.get("back")),
            "fault": fault,
            "longest_reason": LONGEST_REASON,
        }
        return _page("again.html", context, status=status)

    # --- trouble ------------------------------------------------------------------------------------------------------

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return self._trouble(request, error.status_code, error.detail)

    async def _api_refused(self, request: Request, error: Exception) -> Response:
        """A token that was revoked signs its person out."""
        assert isinstance(error, ApiError)
        person = self._person(request)
        if error.code == UNAUTHORIZED and person is not None:
            self._end(person.session)
            return RedirectResponse(f"/sign-in?next={quote(_address(request))}", 303)
        return self._trouble(request, error.code, str(error))

    async def _away(self, request: Request, error: Exception) -> Response:
        return self._trouble(request, 503, str(error))

    def _trouble(self, request: Request, status: int, fault: str) -> Response:
        if request.query_params.get("format") or request.url.path.startswith("/live/"):
            body = {"title": "Refused", "status": status, "detail": fault}
            return Response(JSON.dump_json(body), status, media_type="application/problem+json")
        person = self._person(request)
        context = {
            "caller": person.session.caller if person else None,
            "form_key": person.session.form_key if person else "",
            "status": status,
            "fault": fault,
            "asks_again": status == 503 and request.method == "GET",
        }
        return _page("trouble.html", context, status=status)

    # --- what everybody may have --------------------------------------------------------------------------------------

    async def _healthy(self, _request: Request) -> Response:
        return Response('{"status":"ok"}', media_type="application/json")

    async def _asset(self, request: Request) -> Response:
        asset = all_assets().get(request.path_params["name"])
        if asset is None or asset.path != request.url.path:
            raise HTTPException(404, "no such file")
        return Response(
            asset.body, media_type=asset.media_type, headers={"cache-control": "public, max-age=31536000, immutable"}
        )


def _admit(page: Page, person: Person) -> None:
    """Raises HTTPException for whoever lacks the role that a page needs."""
    caller = person.session.caller
    if page.needs is not None and page.needs not in caller.acts_as:
        raise HTTPException(403, f"{caller.name}'s role is {caller.role}; this page is for the role {page.needs}")


def _signed_in(person: Person) -> dict[str, Any]:
    return {"caller": person.session.caller, "form_key": person.session.form_key}


def _prove(request: Request, person: Person, form: Mapping[str, str]) -> None:
    """Raises HTTPException for a form that was not filled in on a page of this session."""
    if not is_ours(request.headers) or not person.session.proves(form.get(FORM_KEY, "")):
        raise HTTPException(403, "this form was not sent from a page of yours: open the page again")


async def _form(request: Request) -> dict[str, str]:
    """Its fields; of one that comes twice the last."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            raise HTTPException(413, f"a form of more than {LONGEST_FORM:,} bytes")
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=50))
    except ValueError:
        raise HTTPException(400, "this is no form") from None


def _page(template: str, context: Mapping[str, Any], *, status: int = 200) -> Response:
    return HTMLResponse(render.whole(template, context), status)


def _report(page: Page, context: Mapping[str, Any]) -> Response:
    """The page in one file that asks nobody for anything, to be kept or sent."""
    name = "-".join(part for part in context["here"].split("/") if part) or "fleet"
    headers = {"content-disposition": f"attachment; filename*=UTF-8''graftwork-{quote(unquote(name), safe='')}.html"}
    return HTMLResponse(render.whole(page.template, context), headers=headers)


def _cookie(request: Request) -> str:
    """A name that only this host, over TLS, can set, where there is TLS."""
    return f"__Host-{COOKIE}" if is_encrypted(request) else COOKIE


def _address(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
