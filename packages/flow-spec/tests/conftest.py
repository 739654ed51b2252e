"""Shared shapes of the tests: read a flow, or read what is wrong with one."""

from collections.abc import Callable

import pytest

from flow_spec import FlowFileError, FlowSpec, parse_flow

type Complaints = Callable[..., list[str]]
type Steps = Callable[..., FlowSpec]


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks; an sdist has no settings that do."""
    for mark in ("heavy", "long"):
        config.addinivalue_line("markers", mark)


@pytest.fixture
def complaints() -> Complaints:
    """Return the lines of the error that `parse_flow` raises; none where the flow is valid."""

    def complain(text: str | bytes, format_: str = "yaml") -> list[str]:
        try:
            parse_flow(text, source="f", format=format_)  # type: ignore[arg-type]
        except FlowFileError as error:
            return str(error).splitlines()
        return []

    return complain


@pytest.fixture
def steps() -> Steps:
    """Read a flow of which only the steps are given, one flow-style mapping each."""

    def read(*mappings: str) -> FlowSpec:
        return parse_flow("\n".join(["flow_id: demo", "steps:", *(f"- {m}" for m in mappings)]))

    return read
