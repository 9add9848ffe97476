import os

wsgi_app = "shop"
bind = ["127.0.0.1:0"]
workers = 1
preload_app = True
_log = os.path.join("@ROOT@", "hooks.log")


def say(text):
    with open(_log, "a") as log:
        log.write(text + "\n")


def on_starting(server):
    say("on_starting")


def when_ready(server):
    server.log.info("Server is ready. Spawning workers")
    say("when_ready")


def pre_fork(server, worker):
    say("pre_fork %d" % worker.age)


def post_fork(server, worker):
    server.log.info("Worker spawned (pid: %s)", worker.pid)
    assert worker.pid == os.getpid() and worker.ppid == server.pid == os.getppid()
    say("post_fork %d" % worker.age)


def post_worker_init(worker):
    assert callable(worker.app.wsgi()) and worker.cfg.workers == 1
    say("post_worker_init")


def pre_request(worker, req):
    worker.log.debug("%s %s", req.method, req.path)
    say("pre_request %s %s %s" % (req.method, req.path, req.query))


def post_request(worker, req, environ, resp):
    say("post_request %s" % resp.status)


def worker_int(worker):
    worker.log.info("worker received INT or QUIT signal")


def worker_abort(worker):
    worker.log.info("worker received SIGABRT signal")


def worker_exit(server, worker):
    say("worker_exit %d" % worker.age)


def child_exit(server, worker):
    say("child_exit %d" % worker.age)


def nworkers_changed(server, new_value, old_value):
    say("nworkers_changed")


def on_exit(server):
    say("on_exit")
