"""The servers on this machine: `up` starts them as its child processes and keeps them; `doctor` says what is wrong."""
