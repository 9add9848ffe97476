"""A small shop, and what Portico does for it beside answering visitors: see site.yaml."""
import logging
import time

import portico
import portico.log
from flask import Flask, jsonify, request

# Every line of the log says which request it belongs to.
portico.log.install()
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(request_id)s %(message)s")

app = Flask(__name__)
prices = portico.cache.named("prices")
sold = portico.counter("sold")


@app.get("/")
def front():
    page = portico.cache.get_text("front")
    if page is None:
        time.sleep(0.1)  # A slow template.
        page = f"<title>Shop</title><h1>Tea: {prices.get_text('tea', '4.00')}</h1>\n"
        portico.cache.set("front", page, expires=60)
    return page


@app.post("/orders")
def order():
    """Answers at once; the mail is sent by a job worker. Twice the same order is one mail."""
    to = request.args["to"]
    job = send.enqueue((to,), key=f"order of {to}")
    portico.metrics.counter("orders")
    app.logger.info("ordered by %s", to)
    return jsonify(job=job), 202


@app.get("/orders")
def orders():
    return jsonify(sold=sold.get())


@app.get("/report")
def report():
    """Slow: after a second the log says where it is, after five the visitor gets 504."""
    time.sleep(float(request.args.get("seconds", 2)))
    return "All is well.\n"


@portico.job(queue="mail", retries=3)
def send(to):
    if "@" not in to:
        # Not worth another attempt: a dead letter, see `portico jobs dead`.
        raise portico.jobs.Dead(f"{to} is no address")
    print(f"mail to {to}")
    sold.incr()


@portico.cron("0 3 * * *", zone="Europe/Berlin", missed="once")
def nightly():
    print(f"{sold.get()} sold so far")


@portico.timer(30)
def new_prices():
    """In one process of the whole site, whatever the number of workers."""
    prices.set("tea", f"{4 + time.time() % 1:.2f}")
    portico.cache.delete("front")
