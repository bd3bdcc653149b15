"""Every state has a sentence, a next step where there is one, and a look on the pages."""

import pytest
from django.template.loader import render_to_string
from django.utils.html import escape

from tenants.models import Tenant, TenantState
from tenants.states import WORDS, words_for


def test_every_state_has_words() -> None:
    assert set(WORDS) == set(TenantState)
    for state, words in WORDS.items():
        assert words.sentence.endswith("."), state
        assert words.step.endswith(".") or state == TenantState.CONNECTED


@pytest.mark.parametrize("state", TenantState)
def test_the_recorded_reason_goes_before_the_general_sentence(state: TenantState) -> None:
    general = words_for(Tenant(state=state))
    told = words_for(Tenant(state=state, state_detail="The app is disabled."))
    assert general.sentence == WORDS[state].sentence
    assert (told.sentence, told.step) == ("The app is disabled.", WORDS[state].step)


def test_a_tenant_nobody_was_asked_in_is_not_told_to_be_asked_again() -> None:
    never = Tenant(state=TenantState.INVITED, state_code="AADSTS7000229", state_detail="Send the link again.")
    assert words_for(never) == WORDS[TenantState.INVITED]
    lost = Tenant(state=TenantState.CONSENT_LOST, state_code="AADSTS7000229", state_detail="Send the link again.")
    assert words_for(lost).sentence == "Send the link again."


@pytest.mark.parametrize("state", TenantState)
def test_only_connected_and_degraded_tenants_are_read(state: TenantState) -> None:
    assert Tenant(state=state).is_syncing == (state in {TenantState.CONNECTED, TenantState.DEGRADED})


@pytest.mark.parametrize("state", TenantState)
def test_every_state_is_drawn(state: TenantState) -> None:
    drawn = render_to_string("components/state.html", {"state": state.value, "label": state.label})
    assert escape(state.label) in drawn
    assert "chip" in drawn
