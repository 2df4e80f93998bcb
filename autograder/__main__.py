"""`python -m autograder` is the command `autograder`."""

import sys
from os.path import isfile


def main() -> None:
    """Run the command; where a package is missing that the kit needs, say so in one line."""
    try:
        if sys.argv[1:2] == ["check"] and any(map(isfile, sys.argv[2:])):
            from autograder.sandbox.fork_server import start_early

            start_early()
        from autograder.cli import main as run

        run()
    except ModuleNotFoundError as error:
        from autograder.locale import _, language_in, speaking

        with speaking(language_in(None)):
            line = _(
                "The package {name} is missing. Activate the environment of your course, or install the kit again in "
                "a new environment. Instructors install gradient-pathology[instructor]. (This is {python}.)"
            )
        print(line.format(name=error.name, python=sys.executable), file=sys.stderr)
        sys.exit(2)  # as for everything that cannot be used, see `autograder.cli.options`


if __name__ == "__main__":
    main()
