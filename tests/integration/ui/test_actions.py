"""What a person does from a page, what one may not, and what another site may not do for them."""

import re
from typing import Any

import pytest

from controlplane.ui.verbs import VERBS
from tests.contract.test_authorisation import MAY
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import InProcess
from tests.support.worlds.website import Website


def test_a_person_pauses_resumes_and_aborts(web: Website, site: InProcess, canary: dict[str, Any]) -> None:
    operator, path = web.sign_in("operator"), f"/rollouts/{canary['id']}"
    for verb, phase in (("pause", "Paused"), ("resume", "Progressing"), ("abort", "Aborted")):
        answer = operator.press(path, f"{path}/{verb}", reason=f"to {verb} it")
        assert answer.headers["location"] == path, answer.text
        assert site.rollout(canary["id"])["phase"] == phase
        assert f"to {verb} it" in operator.page(path).words


def test_a_viewer_sees_no_button_and_is_refused_without_one(
    web: Website, site: InProcess, canary: dict[str, Any]
) -> None:
    viewer, path = web.sign_in("viewer"), f"/rollouts/{canary['id']}"
    assert viewer.page(path).actions == ["/sign-out"]
    form_key = viewer.page(path).forms[0]["fields"]["form_key"]
    answer = viewer.post(f"{path}/abort", reason="mischief", form_key=form_key)
    assert answer.status_code == 403
    assert "role 'viewer' may not do that" in answer.text.replace("&#39;", "'")
    assert site.rollout(canary["id"])["phase"] == "Progressing"


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}]
)
def test_another_site_can_send_no_form(
    web: Website, site: InProcess, canary: dict[str, Any], headers: dict[str, str]
) -> None:
    operator, path = web.sign_in("operator"), f"/rollouts/{canary['id']}"
    form_key = operator.page(path).forms[0]["fields"]["form_key"]
    operator.headers.update(headers)
    assert operator.post(f"{path}/abort", reason="mischief", form_key=form_key).status_code == 403
    assert operator.post("/sign-out", form_key=form_key).status_code == 403
    assert operator.post("/sign-in", token=site.tokens["viewer"]).status_code == 403
    assert site.rollout(canary["id"])["phase"] == "Progressing"


def test_a_form_without_this_sessions_key_is_refused(web: Website, site: InProcess, canary: dict[str, Any]) -> None:
    operator, path = web.sign_in("operator"), f"/rollouts/{canary['id']}"
    others = web.sign_in("operator").page(path).forms[0]["fields"]["form_key"]
    for key in ("", "x", others):
        assert operator.post(f"{path}/abort", reason="mischief", form_key=key).status_code == 403
    assert site.rollout(canary["id"])["phase"] == "Progressing"


def test_what_was_refused_is_shown_with_what_had_been_typed(
    web: Website, site: InProcess, canary: dict[str, Any]
) -> None:
    operator, path = web.sign_in("operator"), f"/rollouts/{canary['id']}"
    shown = operator.page(path)
    [pause] = [one["fields"] for one in shown.forms if one["action"] == f"{path}/pause"]
    site.client("operator").post(f"/v1/rollouts/{canary['id']}:pause", json={"reason": "before them"})
    answer = operator.post(f"{path}/pause", **{**pause, "reason": "a long reason <b>that took thought</b>"})
    assert answer.status_code == 409
    assert "a long reason &lt;b&gt;that took thought&lt;/b&gt;" in answer.text
    missing = operator.post(f"{path}/abort", **{**pause, "reason": " "})
    assert missing.status_code == 422


def test_a_release_engineer_rolls_back_and_resumes_the_queue(
    web: Website, site: InProcess, gateway: Gateway, canary: dict[str, Any]
) -> None:
    releaser = web.sign_in("releaser")
    promoted = releaser.press(
        f"/rollouts/{canary['id']}", f"/rollouts/{canary['id']}/promote", reason="it is good enough"
    )
    assert promoted.status_code == 303, promoted.text
    gateway.report()
    site.turn()
    answer = releaser.press("/deployments/reviews", "/deployments/reviews/rollback", reason="complaints came in")
    assert answer.status_code == 303, answer.text
    gateway.report()
    site.turn()
    shown = releaser.page("/deployments/reviews")
    assert "complaints came in" in shown.words
    assert "frozen" in shown.words
    assert releaser.press("/deployments/reviews", "/deployments/reviews/resume").status_code == 303
    assert not site.deployment()["frozen"]


def test_an_auditor_holds_and_another_person_releases(web: Website, site: InProcess, canary: dict[str, Any]) -> None:
    path = f"/rollouts/{canary['id']}"
    auditor = web.sign_in("auditor")
    assert auditor.press(path, f"{path}/hold", reason="a doubtful dataset").status_code == 303
    assert "held by auditor: a doubtful dataset" in web.sign_in("viewer").page(path).words
    own = auditor.press(path, f"{path}/release-hold", reason="never mind")
    assert own.status_code == 403
    admin = web.sign_in("admin")
    assert admin.press(path, f"{path}/release-hold", reason="checked the dataset").status_code == 303
    assert not site.rollout(canary["id"])["holds"]


@pytest.mark.parametrize(("noun", "verb"), [(noun, verb) for noun, verbs in VERBS.items() for verb in verbs])
def test_a_button_is_shown_to_those_whom_the_api_lets(noun: str, verb: Any) -> None:
    from controlplane.domain.roles import INCLUDES

    wanted = verb.route(noun)
    [may] = [may for route, may in MAY.items() if re.sub(r"\{[a-z_]+\}", "{}", route) == wanted]
    assert set(may.split()) == {role for role, acts_as in INCLUDES.items() if verb.needs in acts_as}
