"""The SQL that reads and writes the tables of `schema`.

The guards are part of it: a statement changes no row whose status is terminal (rule 5.1). The names
and the order of the columns come from `columns`.
"""

# ruff: noqa: S608 - nothing but names from `columns` is put into these texts

from typing import Any

from flow_store.columns import (
    ATTEMPT,
    ATTEMPT_STATE,
    ENDED,
    GUARD,
    HEADER,
    NEW_STEP,
    PAST_ATTEMPT,
    RUN,
    RUN_STATE,
    SETTLEMENT,
    STEP,
    STEP_RESET,
    STEP_STATE,
    SUMMARY,
    Columns,
)


def _selected(columns: Columns[Any], **expressions: str) -> str:
    """List the columns of a SELECT; `expressions` stand in for the columns of these names."""
    return ", ".join(expressions.get(name, name) for name in columns.names)


def _inserted(columns: Columns[Any], *others: str) -> str:
    """List the columns of an INSERT and as many placeholders; the `others` come first."""
    names = (*others, *columns.names)
    return f"({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def _assigned(columns: Columns[Any]) -> str:
    """Assign a placeholder to every column."""
    return ", ".join(f"{name} = ?" for name in columns.names)


SELECT_KEYS = "SELECT run_key FROM runs ORDER BY id DESC LIMIT ?"
SELECT_KEYS_FROM = "SELECT run_key FROM runs WHERE run_key >= ? ORDER BY run_key LIMIT ?"
SELECT_KEYS_BEFORE = "SELECT run_key FROM runs WHERE run_key < ? ORDER BY run_key DESC LIMIT ?"
SELECT_GUARD = f"SELECT {_selected(GUARD)} FROM runs WHERE run_key = ?"
_RUN = f"""
    SELECT id, {_selected(RUN, definition="definitions.definition")}
    FROM runs JOIN definitions ON run_id = id
"""
SELECT_RUN = f"{_RUN} WHERE run_key = ?"
SELECT_RUN_NUMBERED = f"{_RUN} WHERE id = ?"
SELECT_RUN_STATE = f"SELECT {_selected(RUN_STATE)} FROM runs WHERE run_key = ?"
SELECT_SUMMARIES = f"""
    SELECT id, {_selected(SUMMARY)} FROM runs WHERE {{condition}} ORDER BY id DESC LIMIT ?
"""
IS_NEWEST = "id IN (SELECT max(id) FROM runs GROUP BY flow_id)"
SELECT_FLOW_IDS = "SELECT DISTINCT flow_id FROM runs ORDER BY flow_id"
COUNT_UNFINISHED = """
    SELECT flow_id, status, count(*) FROM runs
    WHERE status IN ('PENDING', 'RUNNING') GROUP BY flow_id, status
"""
# The condition and the columns are those of the index: no run is read.
SELECT_END_MARKS = """
    SELECT id, revision, finished_at FROM runs
    WHERE status IN ('SUCCEEDED', 'FAILED', 'CANCELLED')
"""
COUNT_STEPS = "SELECT status, count(*) FROM steps WHERE run_id = ? GROUP BY status"
COUNT_ALL_STEPS = "SELECT count(*) FROM steps WHERE run_id = ?"
NEXT_RETRY_NO = "SELECT coalesce(max(retry_no), 0) + 1 FROM steps WHERE run_id = ?"
SELECT_STEPS = f"SELECT {_selected(STEP)} FROM steps WHERE run_id = ? ORDER BY position"
SELECT_STEP = "SELECT 1 FROM steps WHERE run_id = ? AND position = ? AND step_id = ?"
# SQLite takes the other columns from the row that has the maximum.
SELECT_LATEST_ATTEMPTS = f"""
    SELECT {_selected(ATTEMPT, number="max(number)")}
    FROM attempts WHERE run_id = ? GROUP BY position
"""
SELECT_HISTORY = f"""
    SELECT {_selected(PAST_ATTEMPT, is_foreign="job IS NOT NULL AND job_id IS NULL")}
    FROM attempts WHERE run_id = ? ORDER BY position, number
"""
SELECT_ATTEMPTS = f"""
    SELECT {_selected(ATTEMPT)}
    FROM attempts WHERE run_id = (SELECT id FROM runs WHERE run_key = ?)
    ORDER BY position, number
"""
SELECT_SETTLEMENTS = f"""
    SELECT {_selected(SETTLEMENT)} FROM settlements WHERE run_id = ? ORDER BY retry_no, at, position
"""

# The empty text is that of a column whose place `definitions` has taken.
INSERT_RUN = f"""
    INSERT INTO runs (definition, {_selected(RUN_STATE)})
    VALUES ('', {", ".join("?" * len(RUN_STATE.names))})
    ON CONFLICT (run_key) DO NOTHING
"""
INSERT_DEFINITION = "INSERT INTO definitions (run_id, definition) VALUES (?, ?)"
UPDATE_DEFINITION = "UPDATE definitions SET definition = ? WHERE run_id = ?"
INSERT_STEP = f"INSERT INTO steps {_inserted(NEW_STEP, 'run_id')}"
NEXT_REVISION = "UPDATE runs SET revision = revision + 1 WHERE id = ?"
UPDATE_HEADER = f"UPDATE runs SET {_assigned(HEADER)} WHERE id = ?"
UPDATE_STEP = f"""
    UPDATE steps SET {_assigned(STEP_STATE)}
    WHERE run_id = ? AND position = ? AND step_id = ?
          AND status IN ('PENDING', 'DELAYED', 'RUNNING')
"""
UPSERT_ATTEMPT = f"""
    INSERT INTO attempts {_inserted(ATTEMPT, "run_id")}
    ON CONFLICT (run_id, position, number) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in ATTEMPT_STATE.names)}
    WHERE attempts.status IN ('STARTING', 'RUNNING')
"""
REQUEST_CANCEL = """
    UPDATE runs SET cancel_requested_at = ?, cancel_grace_sec = ?
    WHERE run_key = ? AND cancel_requested_at IS NULL AND status IN ('PENDING', 'RUNNING')
"""
SELECT_INNER = """
    WITH RECURSIVE inner_runs (run_key) AS (
        SELECT run_key FROM runs WHERE parent_run_key = ?
        UNION
        SELECT runs.run_key FROM runs
        JOIN inner_runs ON runs.parent_run_key = inner_runs.run_key
    )
    SELECT run_key FROM runs JOIN inner_runs USING (run_key)
    WHERE status IN ('PENDING', 'RUNNING') ORDER BY id
"""
INHERIT_RUN = """
    UPDATE runs SET parent_attempt_no = ?
    WHERE run_key = ? AND parent_run_key = ? AND parent_step_id = ?
          AND status IN ('PENDING', 'RUNNING')
"""
# The steps of `finally` are to be ended too.
REQUEST_CANCEL_NOW = """
    UPDATE runs SET cancel_now_at = ?, cancel_grace_sec = coalesce(?, cancel_grace_sec)
    WHERE run_key = ? AND cancel_requested_at IS NOT NULL AND cancel_now_at IS NULL
          AND status IN ('PENDING', 'RUNNING')
"""
REOPEN_RUN = f"""
    UPDATE runs
    SET {_assigned(HEADER)}, flow_dir = coalesce(?, flow_dir),
        params = ?, group_name = ?, group_place = ?,
        cancel_requested_at = NULL, cancel_grace_sec = NULL, cancel_now_at = NULL,
        revision = revision + 1
    WHERE id = ?
"""
# The condition on the status is that of the index.
SELECT_GROUP = """
    SELECT run_key, status FROM runs
    WHERE group_name = ? AND status IN ('PENDING', 'RUNNING')
          AND run_key <> ? AND (status = 'RUNNING' OR group_place < ?)
    ORDER BY group_place
"""
NEXT_PLACE = """
    SELECT coalesce(max(group_place), 0) + 1 FROM runs
    WHERE group_name = ? AND status IN ('PENDING', 'RUNNING')
"""
SELECT_OUTER_HOLDER = """
    WITH RECURSIVE outer_runs (run_key, parent_run_key, status, group_name) AS (
        SELECT run_key, parent_run_key, status, group_name FROM runs WHERE run_key = ?
        UNION
        SELECT runs.run_key, runs.parent_run_key, runs.status, runs.group_name FROM runs
        JOIN outer_runs ON runs.run_key = outer_runs.parent_run_key
    )
    SELECT run_key FROM outer_runs WHERE status = 'RUNNING' AND group_name = ?
"""
RECORD_GIVING_UP = "UPDATE runs SET gave_up_at = ?, gave_up_error = ? WHERE id = ?"
RESET_STEP = f"UPDATE steps SET {_assigned(STEP_RESET)} WHERE run_id = ? AND position = ?"
INSERT_SETTLEMENT = f"INSERT INTO settlements {_inserted(SETTLEMENT, 'run_id')}"
SETTLE_STEP = """
    UPDATE steps SET status = ?, error = NULL
    WHERE run_id = ? AND position = ? AND coalesce(retry_no, 0) = ? AND status = ?
          AND status IN ('FAILED', 'CANCELLED')
"""
RECORD_ORCHESJOB_HOME = """
    UPDATE runs SET orchesjob_home = ? WHERE run_key = ? AND orchesjob_home IS NULL
"""
_HAS_JOBS = "EXISTS (SELECT 1 FROM attempts WHERE run_id = ranked.id AND job_id IS NOT NULL)"
# Only the columns that are needed are ranked: SQLite would keep whole rows meanwhile.
SELECT_ENDED = f"""
    SELECT {_selected(ENDED, has_jobs=_HAS_JOBS)} FROM (
        SELECT id, run_key, flow_id, status, finished_at, revision,
            row_number() OVER (PARTITION BY flow_id ORDER BY id DESC) AS newer
        FROM runs WHERE ? IS NULL OR flow_id = ?
    ) AS ranked
    WHERE status IN ('SUCCEEDED', 'FAILED', 'CANCELLED') AND finished_at <= ? AND newer > ?
    ORDER BY id DESC
"""
# The first parameter is a JSON object: the revision of each run by its key. Each is looked up; the
# `+` keeps SQLite from reading all runs of these statuses instead.
REMOVE_RUNS = """
    DELETE FROM runs WHERE id IN (
        SELECT runs.id
        FROM json_each(?) AS chosen JOIN runs ON run_key = chosen.key AND revision = chosen.value
        WHERE +status IN ('SUCCEEDED', 'FAILED', 'CANCELLED') AND finished_at <= ?
    )
    RETURNING run_key
"""
