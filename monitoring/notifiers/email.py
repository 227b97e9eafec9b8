"""Plain-text mail, through the server that BELLWETHER_EMAIL_URL names."""

import smtplib
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.validators import validate_email

from monitoring.errors import DeliveryFailed
from monitoring.notifiers.base import TIMEOUT_S, Event, Message, invalid, read_fields

MOST_ADDRESSES = 20


def read(config: object) -> dict[str, object]:
    """A checked config: `to`, a list of addresses. Raises InvalidChannel."""
    addresses = read_fields(config, needed=("to",))["to"]
    if not isinstance(addresses, list) or len(addresses) > MOST_ADDRESSES:
        raise invalid("config.to", f"must be a list of at most {MOST_ADDRESSES} addresses")
    for address in addresses:
        _check_address(address)
    return {"to": addresses}


class EmailNotifier:
    def __init__(self, config: Mapping[str, Any]) -> None:
        self._to = list(config["to"])

    def send(self, message: Message) -> None:
        try:
            self._mail(message).send()
        except smtplib.SMTPRecipientsRefused as error:
            refused = [code for code, _ in error.recipients.values()]
            is_permanent = all(code >= 500 for code in refused)
            raise DeliveryFailed(
                "the mail server refuses the addresses", is_permanent=is_permanent
            ) from error
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryFailed(f"the mail server does not take it: {_shown(error)}") from error

    def _mail(self, message: Message) -> EmailMessage:
        return EmailMessage(
            subject=f"Bellwether {message.title}"[:200],
            body=message.text,
            from_email=settings.DEFAULT_FROM_EMAIL,
            to=self._to,
            headers=_headers(message),
            connection=get_connection(timeout=TIMEOUT_S),
        )


def _headers(message: Message) -> dict[str, str]:
    """One incident is one thread in a mail reader, and a repetition is known by its id."""
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip(">") or "bellwether"
    headers = {
        "Message-ID": f"<notification-{message.id}@{domain}>",
        "Auto-Submitted": "auto-generated",
    }
    if message.event is not Event.TEST:
        headers["References"] = f"<alert-{message.alert}@{domain}>"
    return headers


def _check_address(address: object) -> None:
    try:
        validate_email(address if isinstance(address, str) else "")
    except ValidationError as error:
        raise invalid("config.to", f"holds {str(address)[:60]!r}, which is no address") from error


def _shown(error: Exception) -> str:
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__
