"""Entra ID's error numbers in plain words: what happened, whose move it is, and the one next step.

Microsoft asks clients to react to `error` and not to the numbers, yet `invalid_client` alone covers both "our secret is
wrong" (every tenant) and "this customer has not installed the app" (one tenant). So the number refines, and every value
of `error` has a safe default for numbers nobody has met. Raw descriptions and `error_uri` are never shown.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from defender.errors import (
    ConsentMissing,
    CredentialFault,
    DefenderError,
    Forbidden,
    Rejected,
    ResourceMissing,
    TenantUnknown,
    Throttled,
    Transient,
    Who,
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One row: what a person reads, what to do next, whose move it is, and the error that code raises."""

    sentence: str
    step: str
    who: Who
    error: type[DefenderError]


def _row(error: type[DefenderError], who: Who, sentence: str, step: str) -> Explanation:
    return Explanation(sentence, step, who, error)


_SEND_LINK = "Send the customer's admin the consent link again, and check that the tenant id is theirs."
_FIX_CREDENTIAL = "Replace the partner app's credential and restart the workers; customers need to do nothing."
_REPORT = "Report this with its reference: the portal asked in a way Entra ID does not accept."
_BACK_OFF = "Nothing to do: the portal waits and tries again."
_RESTART = "Start again from the beginning."

_NOT_INSTALLED = _row(
    ConsentMissing, "customer", "The partner app is not installed in the customer's tenant.", _SEND_LINK
)
_NOT_CONSENTED = _row(
    ConsentMissing, "customer", "Nobody with the right role has consented for the customer's tenant yet.", _SEND_LINK
)
_DISABLED = _row(
    ConsentMissing,
    "customer",
    "The partner app is switched off in the customer's tenant.",
    "Ask the customer's admin to allow sign-in again on the enterprise app.",
)
_DECLINED = _row(
    ConsentMissing,
    "customer",
    "The consent page was closed or declined.",
    "Ask the customer's admin whether that was meant, then send the link again.",
)
_PROVISIONING = _row(
    Transient,
    "microsoft",
    "Entra ID is still installing the partner app in the customer's tenant.",
    "Wait half a minute; if it stays so, ask the customer's admin to open the consent link again.",
)
_REGISTRATION = _row(
    CredentialFault,
    "partner",
    "The partner app's registration does not list the permissions it asks for.",
    "Correct the API permissions of the app registration, then ask customers to consent again.",
)
_SINGLE_TENANT = _row(
    CredentialFault,
    "partner",
    "The partner app is registered for one organisation only.",
    "Make the app registration multitenant.",
)
_NO_LICENCE = _row(
    ResourceMissing,
    "customer",
    "The customer's tenant has no Defender API of this kind, usually because the licence is missing.",
    "Ask the customer which Defender licence they hold; then check the cloud chosen for this tenant.",
)
_RESOURCE_OFF = _row(
    ResourceMissing,
    "customer",
    "The Defender API is switched off in the customer's tenant, usually because a subscription lapsed.",
    "Ask the customer to renew or re-enable their Defender subscription.",
)
_BAD_SECRET = _row(
    CredentialFault,
    "partner",
    "The partner app's secret is wrong; often the secret's ID was pasted in place of its value.",
    _FIX_CREDENTIAL,
)
_SECRET_EXPIRED = _row(CredentialFault, "partner", "The partner app's secret has expired.", _FIX_CREDENTIAL)
_NO_CREDENTIAL = _row(CredentialFault, "partner", "The request carried no credential of the partner app.", _REPORT)
_BAD_CERTIFICATE = _row(
    CredentialFault,
    "partner",
    "Entra ID does not accept the partner app's certificate or the proof signed with it.",
    "Upload the certificate that belongs to the private key to the app registration, or use the right key.",
)
_CERTIFICATE_EXPIRED = _row(
    CredentialFault,
    "partner",
    "The partner app's certificate is revoked or outside its dates.",
    "Register a new certificate, switch the portal to it, then remove the old one.",
)
_CLOCK = _row(
    CredentialFault,
    "partner",
    "The proof signed with the partner app's key is outside its time range.",
    "Check the clock of this machine.",
)
_PUBLIC_CLIENT = _row(
    CredentialFault,
    "partner",
    "The partner app is registered as a public client, which may not use a credential.",
    "Register it as a web application.",
)
_FEDERATION = _row(
    CredentialFault,
    "partner",
    "The token that should stand for the partner app is not an application's token.",
    "Check the federated credential of the app registration.",
)
_OUR_REQUEST = _row(Rejected, "us", "Entra ID does not understand the portal's request.", _REPORT)
_NO_TENANT = _row(Rejected, "us", "The request to Entra ID did not name one tenant.", _REPORT)
_UNKNOWN_TENANT = _row(
    TenantUnknown,
    "setup",
    "There is no such tenant in this cloud.",
    "Check the tenant id or domain with the customer, and the cloud chosen for it.",
)
_OTHER_CLOUD = _row(
    TenantUnknown,
    "setup",
    "The tenant lives in another of Microsoft's clouds.",
    "Choose the cloud of this tenant; each cloud needs its own app registration.",
)
_BUSY = _row(Throttled, "microsoft", "Entra ID asks for fewer requests at the moment.", _BACK_OFF)
_DIRECTORY_DOWN = _row(Transient, "microsoft", "The customer's directory is not reachable for Entra ID.", _BACK_OFF)
_LOOP = _row(
    Throttled,
    "us",
    "Entra ID saw the same request too often; tokens are not being reused.",
    _REPORT,
)
_PRE_CONSENT = _row(
    ConsentMissing,
    "partner",
    "The partner app is not authorised in a tenant reached through delegated administration.",
    "Send the consent link, or pre-consent through Partner Center.",
)
_NO_ASSIGNMENT = _row(
    ConsentMissing,
    "customer",
    "The Defender API in the customer's tenant admits only apps with an assigned role, and ours has none.",
    _SEND_LINK,
)
_POLICY = _row(
    Forbidden,
    "customer",
    "A Conditional Access rule of the tenant blocks this sign-in.",
    "Ask the tenant's admin which rule applies.",
)
_CROSS_TENANT = _row(
    Forbidden,
    "customer",
    "The cross-tenant access settings of one of the two tenants block this sign-in.",
    "Ask the customer's admin to allow the partner's tenant.",
)
_NOT_ASSIGNED_USER = _row(
    Forbidden,
    "partner",
    "This person is not assigned to the portal's sign-in app.",
    "Assign the person a role on the enterprise app in the partner's own tenant.",
)
_WRONG_ACCOUNT = _row(
    Forbidden,
    "customer",
    "The account used does not belong to that tenant.",
    "Sign out, then open the link with an admin account of the right tenant.",
)
_REDIRECT = _row(
    Rejected,
    "partner",
    "The portal's address is not registered as a reply address of the app.",
    "Add the portal's callback address to the app registration, letter for letter.",
)
_SPENT_CODE = _row(Rejected, "setup", "The sign-in took too long or was used twice.", _RESTART)
_APP_UNAVAILABLE = _row(
    ConsentMissing,
    "customer",
    "The app may not be used in the customer's tenant at the moment.",
    "Ask the customer's admin whether the app was restricted.",
)
_BLOCKED = _row(
    Forbidden, "microsoft", "Microsoft has blocked this tenant.", "Stop, and clear it up with the customer first."
)
_REGIONAL = _row(Rejected, "us", "Regional sign-in hosts are for Microsoft's own services only.", _REPORT)

_ROWS: Final[Mapping[Explanation, tuple[int, ...]]] = {
    _NOT_INSTALLED: (700016, 7000229, 700011),
    _DISABLED: (7000112, 70001),
    _PROVISIONING: (650051,),
    _NOT_CONSENTED: (65001, 90094, 90095),
    _DECLINED: (65004,),
    _REGISTRATION: (65005, 650056, 650057),
    _NO_LICENCE: (650052, 650054, 500011),
    _SINGLE_TENANT: (650059, 50194),
    _RESOURCE_OFF: (500014, 50001),
    _BAD_SECRET: (7000215, 70002),
    _SECRET_EXPIRED: (7000222,),
    _NO_CREDENTIAL: (7000218,),
    _BAD_CERTIFICATE: (700027, 50012, 50013, 700030),
    _CLOCK: (700024, 500133),
    _CERTIFICATE_EXPIRED: (7000214, 7000277, 1000502, 7000274),
    _PUBLIC_CLIENT: (700025,),
    _FEDERATION: (700229,),
    _OUR_REQUEST: (70011, 28002, 700022, 700023, 901002, 90013, 90014, 900144, 90023, 9002313),
    _NO_TENANT: (90019, 50059, 50128, 9001023),
    _UNKNOWN_TENANT: (90002, 900021),
    _OTHER_CLOUD: (90038, 900382, 900432),
    _BUSY: (90024, 90055),
    _DIRECTORY_DOWN: (90033,),
    _LOOP: (50196,),
    _PRE_CONSENT: (90099,),
    _NO_ASSIGNMENT: (501051,),
    _POLICY: (53003, 530032, 53000, 53001, 53002, 53004),
    _CROSS_TENANT: (500212, 500213),
    _NOT_ASSIGNED_USER: (50105,),
    _WRONG_ACCOUNT: (50034, 50020, 50014, 51004),
    _REDIRECT: (50011,),
    _SPENT_CODE: (54005, 70008, 501481),
    _APP_UNAVAILABLE: (1000031,),
    _BLOCKED: (5000224,),
    _REGIONAL: (100007,),
}
AADSTS: Final[Mapping[int, Explanation]] = {code: row for row, codes in _ROWS.items() for code in codes}

# What each value of `error` means where the number is unknown. Chosen so that a customer is never blamed for a fault
# that may be ours, and so that nothing unknown is retried in a loop.
BY_ERROR: Final[Mapping[str, Explanation]] = {
    "invalid_request": _OUR_REQUEST,
    "invalid_scope": _OUR_REQUEST,
    "unsupported_grant_type": _OUR_REQUEST,
    "unsupported_response_type": _OUR_REQUEST,
    "invalid_grant": _row(Rejected, "us", "Entra ID no longer accepts this sign-in.", _RESTART),
    "invalid_client": _row(
        CredentialFault,
        "partner",
        "Entra ID does not accept the partner app's credential.",
        "If other tenants fail too, replace the credential; if not, send this customer the consent link.",
    ),
    "unauthorized_client": _NOT_INSTALLED,
    "invalid_resource": _NO_LICENCE,
    "invalid_tenant": _UNKNOWN_TENANT,
    "interaction_required": _POLICY,
    "consent_required": _NOT_CONSENTED,
    "access_denied": _DECLINED,
    "permission_denied": _DECLINED,
    "temporarily_unavailable": _row(Transient, "microsoft", "Entra ID is not available at the moment.", _BACK_OFF),
    "server_error": _row(Transient, "microsoft", "Entra ID had a fault of its own.", _BACK_OFF),
}
UNKNOWN: Final = _row(
    Rejected,
    "microsoft",
    "Entra ID refused for a reason the portal does not know.",
    "Look the code up with Microsoft, with the reference at hand.",
)

_NUMBER = re.compile(r"AADSTS([0-9]{4,9})\b")


def explain(error_body: Mapping[str, object], *, hint: str = "") -> DefenderError:
    """The error that an OAuth error body (or the query of a consent callback) stands for. Never raises.

    `hint` is used as the code where the body names neither a number nor an `error`.
    """
    number = _number(error_body)
    error = error_body.get("error")
    word = error if isinstance(error, str) and re.fullmatch(r"[a-z_]{3,40}", error) else ""
    row = AADSTS.get(number or 0) or BY_ERROR.get(word, UNKNOWN)
    code = f"AADSTS{number}" if number else (word or hint or "entra-unknown")
    details = _support_details(error_body)
    reference = details.get("trace_id") or details.get("correlation_id")
    return row.error(row.sentence, step=row.step, code=code, reference=reference, who=row.who, details=details)


def _number(body: Mapping[str, object]) -> int | None:
    numbers = [number for number in _listed(body.get("error_codes")) if 0 < number < 10**9]
    if not numbers:
        description = body.get("error_description")
        numbers = [int(text) for text in _NUMBER.findall(description[:2000])] if isinstance(description, str) else []
    return next((number for number in numbers if number in AADSTS), numbers[0] if numbers else None)


def _listed(codes: object) -> list[int]:
    if not isinstance(codes, list):
        return []
    texts = [str(code)[:12] for code in codes[:20] if isinstance(code, int | str)]
    return [int(text) for text in texts if re.fullmatch(r"[0-9]{1,9}", text)]


def _support_details(body: Mapping[str, object]) -> dict[str, str]:
    """The ids that Microsoft's support asks for, kept only where they look like ids."""
    found = {key: value for key in ("trace_id", "correlation_id") if (value := _guid(body.get(key)))}
    timestamp = body.get("timestamp")
    if isinstance(timestamp, str) and re.fullmatch(r"[0-9TZ:. +-]{10,40}", timestamp):
        found["timestamp"] = timestamp
    return found


def _guid(value: object) -> str:
    try:
        return str(UUID(value)) if isinstance(value, str) and len(value) <= 45 else ""
    except ValueError:
        return ""
