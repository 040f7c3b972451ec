"""The command line: `entry` has the application and the exit codes, `jobs`, `sweeps`, `look` and `server` the commands.

Everything else here is about their arguments: `ids` finds what JOB and SWEEP mean, `options` has what commands share,
`json_input` and `spec_settings` read specs and `--set`, `following` says what Ctrl-C leaves behind.
"""
