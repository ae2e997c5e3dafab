"""`python -m hpo` is the `hpo` command."""

import sys

from hpo.search.cli import main

if __name__ == "__main__":
    sys.exit(main())
