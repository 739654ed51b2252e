"""The SQL that reads and writes the tables of `schema`.

The guards are part of it: a statement changes no row whose status is terminal (rule 5.1). Columns
are in the order that `rows` expects, which is that of the records' fields.
"""

SELECT_RUN = """
    SELECT id, run_key, flow_id, definition, directory, status, error, started_at, finished_at,
           deadline_at, deadline_mono, deadline_boot, revision, cancel_requested_at,
           cancel_grace_sec
    FROM runs WHERE run_key = ?
"""
SELECT_SUMMARIES = """
    SELECT id, run_key, flow_id, status, error, started_at, finished_at, cancel_requested_at,
           cancel_grace_sec
    FROM runs WHERE {conditions} ORDER BY id DESC LIMIT ?
"""
COUNT_STEPS = "SELECT status, count(*) FROM steps WHERE run_id = ? GROUP BY status"
SELECT_STEPS = """
    SELECT position, step_id, status, attempt_no, failures, max_retries, next_attempt_at,
           next_attempt_mono, next_attempt_boot, started_at, finished_at, error
    FROM steps WHERE run_id = ? ORDER BY position
"""
# SQLite takes the other columns from the row that has the maximum.
SELECT_LATEST_ATTEMPTS = """
    SELECT position, max(number), status, started_at, running_mono, boot_id, job_id, job,
           abort_reason, finished_at, error
    FROM attempts WHERE run_id = ? GROUP BY position
"""
SELECT_HISTORY = """
    SELECT position, number, status, started_at, finished_at, error,
           job IS NOT NULL AND job_id IS NULL
    FROM attempts WHERE run_id = ? ORDER BY position, number
"""
SELECT_ATTEMPTS = """
    SELECT position, number, attempts.status, attempts.started_at, running_mono, boot_id, job_id,
           job, abort_reason, attempts.finished_at, attempts.error
    FROM attempts JOIN runs ON runs.id = run_id WHERE run_key = ? ORDER BY position, number
"""
INSERT_RUN = """
    INSERT INTO runs (run_key, flow_id, definition, directory, status, started_at, revision)
    VALUES (?, ?, ?, ?, 'PENDING', ?, 0)
    ON CONFLICT (run_key) DO NOTHING
"""
INSERT_STEP = """
    INSERT INTO steps (run_id, position, step_id, status, attempt_no, failures, max_retries)
    VALUES (?, ?, ?, 'PENDING', 0, 0, ?)
"""
UPDATE_STEP = """
    UPDATE steps
    SET status = ?, attempt_no = ?, failures = ?, max_retries = ?, next_attempt_at = ?,
        next_attempt_mono = ?, next_attempt_boot = ?, started_at = ?, finished_at = ?, error = ?
    WHERE run_id = ? AND position = ? AND step_id = ?
          AND status IN ('PENDING', 'DELAYED', 'RUNNING')
"""
UPSERT_ATTEMPT = """
    INSERT INTO attempts (run_id, position, number, status, started_at, running_mono, boot_id,
                          job_id, job, abort_reason, finished_at, error)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (run_id, position, number) DO UPDATE
    SET status = excluded.status, started_at = excluded.started_at,
        running_mono = excluded.running_mono, boot_id = excluded.boot_id,
        job_id = excluded.job_id, job = excluded.job, abort_reason = excluded.abort_reason,
        finished_at = excluded.finished_at, error = excluded.error
    WHERE attempts.status IN ('STARTING', 'RUNNING')
"""
SELECT_GUARDS = """
    SELECT id, revision, status, cancel_requested_at, cancel_grace_sec FROM runs WHERE run_key = ?
"""
SELECT_STEP = "SELECT 1 FROM steps WHERE run_id = ? AND position = ? AND step_id = ?"
NEXT_REVISION = "UPDATE runs SET revision = revision + 1 WHERE id = ?"
UPDATE_HEADER = """
    UPDATE runs
    SET status = ?, error = ?, finished_at = ?, deadline_at = ?, deadline_mono = ?,
        deadline_boot = ?
    WHERE id = ?
"""
REQUEST_CANCEL = """
    UPDATE runs SET cancel_requested_at = ?, cancel_grace_sec = ?
    WHERE run_key = ? AND cancel_requested_at IS NULL AND status IN ('PENDING', 'RUNNING')
"""
REOPEN_RUN = """
    UPDATE runs
    SET status = 'PENDING', error = NULL, finished_at = NULL, deadline_at = NULL,
        deadline_mono = NULL, deadline_boot = NULL, definition = ?, cancel_requested_at = NULL,
        cancel_grace_sec = NULL, revision = revision + 1
    WHERE id = ?
"""
REOPEN_STEP = """
    UPDATE steps
    SET status = 'PENDING', failures = 0, max_retries = ?, next_attempt_at = NULL,
        next_attempt_mono = NULL, next_attempt_boot = NULL, started_at = NULL, finished_at = NULL,
        error = NULL
    WHERE run_id = ? AND position = ?
"""
REMOVE_RUN = """
    DELETE FROM runs WHERE run_key = ? AND status IN ('SUCCEEDED', 'FAILED', 'CANCELLED')
"""
COUNT_ALL_STEPS = "SELECT count(*) FROM steps WHERE run_id = ?"
