"""A table with very long cells takes no more memory than its text (rule 9.3)."""

from orchesjob_flow.views.table import LONG, aligned_table

HEADS = ("Step", "Runs", "Waits also for")


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """Wide characters and colours are counted as a terminal shows them."""
    rows = [("日本", "when a", ""), ("\x1b[31mb\x1b[0m", "at once", "c")]
    assert list(aligned_table(HEADS, rows)) == [
        "Step  Runs     Waits also for",
        "----  -------  --------------",
        "日本  when a",
        "\x1b[31mb\x1b[0m     at once  c",
    ]


def test_a_long_cell() -> None:
    """It pushes aside what follows in its own line, and no other line grows."""
    long = "when " + "x" * LONG
    shown = list(aligned_table(HEADS, [("a", long, "b"), ("c", "when d", "e")]))
    assert shown[2:] == [f"a     {long}  b", "c     when d  e"]
    assert len("\n".join(aligned_table(HEADS, [("a", long * 1000, "")] * 2))) < 2100 * LONG + 100
