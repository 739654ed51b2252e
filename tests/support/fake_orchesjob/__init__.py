"""An orchesjob for tests: the command line, JSON and processes of 1.1.0, with faults on demand.

It speaks `start`, `status`, `abort`, `clean --job-id` and `--version`, keeps its
state under `$ORCHESJOB_HOME` and runs real commands below real worker processes. The tests in
`tests/contract` hold it to the real one. It imports as little as possible, because every call is a
process.

Left out on purpose: the long wait for a locked database, the slow polls, the rewriting of all rows,
importing modules from the current directory, most complaints about wrong words, `logs`, `unlock`,
`rerun` and the other ways to `clean`.

What happened is written to two files under the home, one JSON object a line:

- `calls.jsonl`: each call with `call`, `key`, `argv`, `cwd`, `pid`, `time`.
- `executions.jsonl`: each real execution of a command, `event` being `begin` or `end`, with `key`,
  `argv`, `cwd`, `pid`, `monotonic`, and `exit_code` at the end.

`$FAKE_ORCHESJOB_SCRIPT` names a JSON file with a list of rules; see `faults`.
"""
