"""The same text through a framework that people use."""

from flask import Flask

application = Flask(__name__)


@application.route("/")
def hello():
    return "Hello, world!\n", 200, {"Content-Type": "text/plain"}
