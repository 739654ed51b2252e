"""Secrets: values that commands see in their environment, and that nobody records or prints."""

from collections.abc import Mapping
from typing import Any


def render_secrets(task: Any, context: Any, secrets: Mapping[str, str] | None) -> dict[str, str]:
    """Return the values of templates, such as `{{ conn.shop.password }}`; mask them in logs.

    They are no template fields of the task, because Airflow records what these hold.
    """
    if not secrets:
        return {}
    from airflow.sdk.log import mask_secret  # only workers need it

    values = {name: task.render_template(text, context) for name, text in secrets.items()}
    for value in values.values():
        mask_secret([value, *value.splitlines()])
    return values


def masked(text: str) -> str:
    """Return a text without the values of secrets: not every log of Airflow masks them itself."""
    from airflow.sdk.log import redact  # type: ignore[attr-defined]

    return str(redact(text))
