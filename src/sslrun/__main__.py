"""`python -m sslrun`, which also is how Lightning starts further ranks."""

from sslrun.cli import main

if __name__ == "__main__":  # workers started by spawn import this module again
    main()
