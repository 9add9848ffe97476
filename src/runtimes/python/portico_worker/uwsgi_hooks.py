"""Workers of applications that were written for uWSGI: their numbers, and what the application has set in the
module `uwsgi` to be called, `atexit` and `after_req_hook`."""
import sys
import time

from portico.uwsgi_parts import facts

from .hooks import Answer, NoHooks


class UwsgiHooks(NoHooks):
    def __init__(self):
        #: Of living workers: process id → number.
        self.numbers = {}

    def pre_fork(self):
        """Numbers begin at 1 in each warm parent, and are taken again: some do what only one is to do."""
        taken = set(self.numbers.values())
        facts.process.number = next(n for n in range(1, len(taken) + 2) if n not in taken)

    def forked(self, pid):
        self.numbers[pid] = facts.process.number
        facts.process.number = 0

    def post_fork(self):
        facts.process.born = int(time.time())

    def child_exit(self, pid):
        self.numbers.pop(pid, None)

    def around(self, application, streams):
        """Counts requests; where something is to be done after one, it is. ASGI has no such end."""
        if streams:
            return application
        process, names = facts.process, vars(sys.modules["uwsgi"])

        def answer(environ, start_response):
            process.requests += 1
            try:
                result = application(environ, start_response)
            except BaseException:
                facts.request_ended()
                raise
            if not process.bounded and "after_req_hook" not in names:
                return result
            if isinstance(result, environ["wsgi.file_wrapper"]):
                # It has to stay the object that it is.
                facts.request_ended()
                return result
            return Answer(result, facts.request_ended)

        return answer

    def worker_exit(self):
        facts.run_hook("atexit")

    on_exit = worker_exit
