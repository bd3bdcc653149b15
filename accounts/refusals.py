"""Why a sign-in through Entra ID was refused: one word for the log, one sentence for the person.

The sentence never tells what exactly was wrong with an answer: whoever made it up learns nothing. It tells what the
person can do.
"""

from defender.errors import CredentialFault, DefenderError, Throttled, Transient

AGAIN = "This sign-in took too long, or was used already. Start again."
NOT_PROVED = "Microsoft's answer could not be accepted. Start again; if it happens again, tell your administrator."
BUSY = "Microsoft does not answer at the moment. Try again in a minute."
SETUP = "Sign-in through Microsoft does not work at the moment. Tell your administrator."
NOT_ALLOWED = "Microsoft did not sign you in. Start again; if it happens again, tell your administrator."

SENTENCES = {
    "not-under-way": AGAIN,
    "cancelled": "You did not finish signing in at Microsoft. Start again when you are ready.",
    "not-assigned": "Your account is not assigned to this portal. Ask your administrator to assign it.",
    "no-role": "Your account may not use this portal. Ask your administrator for the role Portal.Access.",
    "guest": "Guest accounts may not sign in here. Use an account of your own organisation.",
    "second-factor": "A second factor is needed, and Microsoft did not say that you used one. Ask your administrator.",
    "switched-off": "Your account is switched off in this portal. Ask your administrator.",
    "not-fresh": "Microsoft did not ask who you are again. Start again and type your password there.",
    "someone-else": "That was another account. Confirm with the account that you are signed in with.",
}
# Entra ID's own refusals that a person can understand and act upon.
_KNOWN_CODES = {
    "access_denied": "cancelled",
    "AADSTS65004": "cancelled",
    "AADSTS50105": "not-assigned",
    "AADSTS54005": "not-under-way",
    "AADSTS70008": "not-under-way",
}


class Refused(Exception):
    """Nobody is signed in by this. ``reason`` is for the log, ``who`` for the audit log where it was proved.

    ``status`` is 403, or 503 where it is nobody's fault at this end.
    """

    def __init__(self, reason: str, *, sentence: str = "", who: str = "", status: int = 403) -> None:
        self.reason, self.who, self.status = reason, who, status
        self.sentence = sentence or SENTENCES.get(reason, NOT_PROVED)
        super().__init__(reason)


def refusal_of(error: DefenderError) -> Refused:
    """What a failure between the portal and Entra ID means for the person who wants to sign in."""
    if isinstance(error, Throttled | Transient):
        return Refused(error.code, sentence=BUSY, status=503)
    if isinstance(error, CredentialFault):
        return Refused(error.code, sentence=SETUP, status=503)
    if error.code.startswith("id-token-"):
        return Refused(error.code, sentence=NOT_PROVED)
    return Refused(error.code, sentence=SENTENCES.get(_KNOWN_CODES.get(error.code, ""), NOT_ALLOWED))
