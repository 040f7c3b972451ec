"""`python -m api`: serve in the foreground until SIGTERM or SIGINT."""

from api.main import main

if __name__ == "__main__":
    main()
