"""Run the orders API as a process."""

import logging

from services.orders_api.application import OrdersApi
from services.orders_api.settings import Settings
from services.serving import Listener, serve

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    # Each attempt to connect while Postgres is away is a line there; the health check says the same.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    serve(Listener(OrdersApi(Settings.from_environment()).application))
