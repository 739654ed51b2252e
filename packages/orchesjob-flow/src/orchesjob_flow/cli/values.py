"""The types of values on command lines: seconds, ages, environment variables and the like."""

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
AGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhdw])")


def parse_age(text: str) -> float:
    """Read an age, such as `30d` or `12h`, in seconds.

    >>> parse_age("30d"), parse_age("1.5h")
    (2592000.0, 5400.0)

    Raises:
        ValueError: The text is not an age.
    """
    match = AGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an age; write a number and s, m, h, d or w, as in 30d")
    return float(match[1]) * UNITS[match[2]]


class Seconds(click.ParamType):  # type: ignore[type-arg] # no subscripts before click 8.3.3
    """A finite number of seconds, of at least or of more than zero."""

    name = "seconds"

    def __init__(self, *, zero: bool) -> None:
        """Say whether zero is allowed."""
        self.zero = zero

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the number, or refuse the value."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not math.isfinite(seconds) or seconds < 0 or (seconds == 0 and not self.zero):
            least = "0 or more" if self.zero else "more than 0"
            self.fail(
                f"{value!r} is not a number of seconds, {least}{in_seconds(value)}", param, ctx
            )
        return seconds


def in_seconds(value: Any) -> str:
    """Return the end of the error for an age such as `5m`: how many seconds it has."""
    try:
        return f"; {value} is {parse_age(value):g}"
    except ValueError:
        return ""


class Age(click.ParamType):  # type: ignore[type-arg] # no subscripts before click 8.3.3
    """A number of seconds, written with a unit."""

    name = "age"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the age, or refuse the value."""
        try:
            return parse_age(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def get_missing_message(
        self,
        param: click.Parameter,  # noqa: ARG002 - click names what it passes
        ctx: click.Context | None,  # noqa: ARG002
    ) -> str:
        """Return an example of an age for the error that none is given."""
        return "Such as 30d, 12h or 90m"


class Setting(click.ParamType):  # type: ignore[type-arg] # no subscripts before click 8.3.3
    """A name and a value for it, written NAME=VALUE."""

    name = "setting"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split the value, or refuse it."""
        name, equals, text = str(value).partition("=")
        if not equals:
            self.fail(f"{value!r} is not of the form NAME=VALUE", param, ctx)
        return name, text


class Variable(Setting):
    """A variable for the environment of the steps (rule 9.12)."""

    name = "variable"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split the value, or refuse it."""
        from flow_spec import flaw_of_setting

        name, text = super().convert(value, param, ctx)
        flaw = flaw_of_setting(name, text)
        if flaw is not None:
            self.fail(f"the variable {name!r} {flaw}", param, ctx)
        return name, text


class Reason(click.ParamType):  # type: ignore[type-arg] # no subscripts before click 8.3.3
    """The reason for a decision: a line of text (rule 12.3)."""

    name = "reason"
    most = 500

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Strip the value, or refuse it."""
        from orchesjob_flow.views.terminal import UNSAFE

        text = str(value).strip()
        if not text:
            self.fail("is empty; say in a few words why", param, ctx)
        if UNSAFE.search(text):
            self.fail("has a line break or a control character; give a line of text", param, ctx)
        if len(text) > self.most:
            words = f"has {len(text):,} characters; {self.most} are enough for a reason"
            self.fail(words, param, ctx)
        return text


class Report(click.ParamType):  # type: ignore[type-arg] # no subscripts before click 8.3.3
    """A report and the file that it is written into, written FORMAT=FILE (rule 12.1)."""

    name = "report"
    formats = ("html", "junit", "markdown", "trace")

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split the value, or refuse it."""
        form, _, file = str(value).partition("=")
        if form not in self.formats or not file:
            known = ", ".join(self.formats)
            self.fail(f"{value!r} is not FORMAT=FILE with one of {known}", param, ctx)
        return form, file


def once_for_each_name(
    ctx: click.Context, param: click.Parameter, values: tuple[tuple[str, str], ...]
) -> dict[str, str]:
    """Return settings by name; refuse a name that is given twice (rule 2.6)."""
    names = [name for name, _ in values]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise click.BadParameter(f"{repeated!r} is given twice; only one can be meant", ctx, param)
    return dict(values)


class OptionGivenOnce(click.Option):
    """An option that click accepts several times, so that a second one can be refused."""


def option_given_once(
    *names: str, callback: Callable[..., Any] | None = None, **attributes: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare an option that must not be given twice (rule 2.6).

    click would silently take the last one.
    """

    def the_only(ctx: click.Context, param: click.Parameter, values: tuple[Any, ...]) -> Any:
        if len(values) > 1:
            message = f"is given {len(values)} times; only one can be meant"
            raise click.BadParameter(message, ctx, param)
        value = values[0] if values else None
        return value if callback is None else callback(ctx, param, value)

    return click.option(*names, cls=OptionGivenOnce, multiple=True, callback=the_only, **attributes)


def refuse_empty(_ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse an empty value, which usually comes from a shell variable that is not set."""
    if value == "":
        raise click.BadParameter("is empty; name a path, or leave the option out", param=param)
    return value


class WarningCodes(click.ParamType):  # type: ignore[type-arg] # no subscripts before click 8.3.3
    """The code of a warning (rule 11.2)."""

    name = "code"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the code, or list all codes."""
        codes = self._codes()
        if value not in codes:
            self.fail(f"{value!r} is no code; there are {', '.join(codes)}", param, ctx)
        return str(value)

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list["CompletionItem"]:
        """Offer the codes that begin like this."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(code) for code in self._codes() if code.startswith(incomplete)]

    @staticmethod
    def _codes() -> list[str]:
        from flow_spec import WarningCode

        return [code.value for code in WarningCode]
