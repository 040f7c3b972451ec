"""`python -m worker`: run a worker in the foreground until SIGTERM or SIGINT."""

from worker.app import main

if __name__ == "__main__":
    main()
