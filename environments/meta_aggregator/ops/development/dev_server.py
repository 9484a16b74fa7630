"""What `npm run dev` does: serve the checkout's frontend over plain HTTP on 127.0.0.1:3000 (PORT), until it is stopped.

Its API is API_URL, else the public one, as a frontend developer has it who does not run an API of their own.
"""

from __future__ import annotations

import os
import sys

from ops.development.project import Project, ProjectError
from ops.development.workspace_code import use_checkout
from ops.networks import HardhatError

HOST = "127.0.0.1"
API = "https://api.metaaggregator.com"


def main() -> int:
    """Serve until SIGTERM; 1 with the reason if the project is not installed."""
    try:
        project = Project.here()
        project.require("next")
    except (HardhatError, ProjectError) as error:
        print(error, file=sys.stderr)
        return 1
    port = os.environ.get("PORT", "3000")
    os.environ |= {"HOST": HOST, "PORT_HTTP": port}
    use_checkout(project.folder)
    from services.frontend.api_link import ApiLink
    from services.frontend.site import Site
    from services.serving import Listener, serve

    print(f"ready on http://{HOST}:{port}", flush=True)
    site = Site(ApiLink(os.environ.get("API_URL", API)), "development")
    serve(Listener(site.application(), port="http", tls=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
