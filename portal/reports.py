"""What an error report says: where it happened and what was raised, never with which values.

Django's own reports show local variables, the form that was sent and cookies, where secrets are at hand. Nobody is sent
a report as the portal is set up; this holds from the moment that somebody adds a handler which mails them, an error
tracker that asks Django for one, or the page with the traceback.
"""

import traceback

from django.utils.html import format_html
from django.views.debug import ExceptionReporter

from portal.logs import hidden


class QuietReporter(ExceptionReporter):
    """The traceback as Python prints it, with what looks like a secret taken out."""

    def get_traceback_text(self) -> str:  # type: ignore[override]  # nobody may take it for markup
        """Plain text, for mails."""
        return hidden("".join(traceback.format_exception(self.exc_type, self.exc_value, self.tb)))

    def get_traceback_html(self) -> str:  # type: ignore[override]
        """The same as a page."""
        return format_html("<!doctype html><title>Error</title><pre>{}</pre>", self.get_traceback_text())
