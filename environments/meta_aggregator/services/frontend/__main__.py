"""Run the frontend as a process: the site over TLS, and a redirect to it for those who come by plain HTTP."""

import os

from services.frontend.api_link import ApiLink
from services.frontend.site import Site, redirect_to_https
from services.serving import Listener, required, serve

if __name__ == "__main__":
    link = ApiLink(required("API_URL"), os.environ.get("API_CONNECT", ""))
    serve(
        Listener(Site(link, os.environ.get("RELEASE", "")).application()),
        Listener(redirect_to_https(), port="http", tls=False),
    )
