"""The command ``sharp-xr-client``."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run with these arguments (the process's without them); the exit code."""
    import tyro

    try:
        # Late: a machine without the extra should read a sentence, not a traceback.
        from sharp_xr_client.app import run
        from sharp_xr_client.options import Options
    except ModuleNotFoundError as error:
        print(
            f"sharp-xr-client: the module {error.name} is missing: "
            "install the client's parts with  pip install 'sharp-xr[client]'",
            file=sys.stderr,
        )
        return 2
    options = tyro.cli(Options, prog="sharp-xr-client", args=arguments)
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
