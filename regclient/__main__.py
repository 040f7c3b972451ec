"""`python -m regclient` is `regcore`."""

from regclient.cli import main

main()
