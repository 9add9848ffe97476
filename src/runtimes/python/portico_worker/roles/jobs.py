"""Does jobs: leases one, calls its function, says what became of it, for as long as the process lives.

`{"kind": "jobs", "queues": […], "deadlineMs": …, "recycle": …, "stopMs": …}`
"""
import faulthandler
import os
import random
import sys
import threading
import time
import traceback

from .. import trace
from . import on_retire

#: How long a lease is waited for, in seconds: so long, at most, is a retirement not heard of.
WAIT = 1.0
#: A worker that says nothing for so long has lost its job to another one, in seconds.
LEASE = 30.0
BEAT = 8.0
#: Between two attempts to reach Portico, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
#: A job that must be given back is, so long before this process is killed, in seconds.
MARGIN = 0.5
#: Characters of a traceback that are kept with a failed job.
LONGEST_ERROR = 8000
#: Exit code of one that had to leave a job behind.
LEFT = 75


def run(_application, _settings, _slot, role):
    Worker(role).run()


class Worker:
    def __init__(self, role):
        from portico import connection, jobs, resp

        self.connection_module = connection
        self.jobs = jobs
        self.refused = resp.CommandError
        self.queues = role["queues"]
        self.deadline = role["deadlineMs"] / 1000
        self.stop_after = role["stopMs"] / 1000
        recycle = role["recycle"]
        self.left = recycle + random.randint(0, recycle // 10) if recycle else None
        self.link = None
        # One asks at a time: the job's own thread, or the one that keeps its lease.
        self.lock = threading.Lock()
        self.leaving_at = None
        #: What is in hand: (lease, when its time is over); None between two.
        self.in_hand = None

    def run(self):
        on_retire(self.retire)
        keeper = threading.Thread(target=self.keep, name="portico-jobs", daemon=True)
        keeper.start()
        while self.leaving_at is None and self.left != 0:
            lease = self.lease()
            if lease is None:
                continue
            if self.leaving_at is not None:
                self.say("BACK", lease)
                break
            self.do(lease)
            if self.left is not None:
                self.left -= 1

    def retire(self):
        self.leaving_at = time.monotonic()

    def ask(self, *args, timeout=60.0):
        with self.lock:
            if self.link is None:
                self.link = self.connection_module.Connection()
            try:
                return self.link.ask(args, timeout)
            except self.refused:
                raise
            except BaseException:
                self.link.close()
                self.link = None
                raise

    def lease(self):
        """The next job, or None when there is none for a while."""
        pause = FIRST_PAUSE
        while self.leaving_at is None:
            try:
                wait, lease = round(WAIT * 1000), round(LEASE * 1000)
                found = self.ask("PORTICO.JOB.LEASE", wait, lease, *self.queues)
                return None if found is None else Lease(found)
            except (OSError, EOFError) as error:
                reason = error
            except self.refused as error:
                reason = error
            if pause == LONGEST_PAUSE:
                print("portico: no jobs: %s" % reason, file=sys.stderr, flush=True)
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)
        return None

    def say(self, word, lease, *more):
        """What became of a job; again, should the connection break. False: it is not ours any more."""
        for pause in (0.05, 0.2, 1.0, 2.0, 0):
            try:
                return bool(self.ask("PORTICO.JOB." + word, lease.id, lease.receipt, *more))
            except (OSError, EOFError):
                time.sleep(pause)
            except self.refused as error:
                print("portico: job %s: %s" % (lease.id, error), file=sys.stderr, flush=True)
                return False
        return False

    def do(self, lease):
        limit = lease.deadline or self.deadline
        self.in_hand = (lease, time.monotonic() + limit if limit else None, limit)
        if limit:
            # Should Python itself be stuck: C code that does not let go of the interpreter.
            faulthandler.dump_traceback_later(limit + 2 * MARGIN, exit=True, file=2)
        self.show(lease)
        try:
            result = self.jobs.find(lease.name).run(lease.payload)
            said = ("DONE", result)
        except self.jobs.Retry as wish:
            said = ("FAIL", str(wish), "RETRY", max(0, round(wish.after * 1000)))
        except (self.jobs.Dead, self.jobs.Missing) as verdict:
            said = self.failure(lease, "DEAD") if verdict.__cause__ else self.verdict(lease, verdict)
        except Exception:  # noqa: B902
            said = self.failure(lease)
        finally:
            if limit:
                faulthandler.cancel_dump_traceback_later()
        # From here on it is neither late nor to be given back.
        with self.lock:
            self.in_hand = None
        if not self.say(said[0], lease, *said[1:]) and said[0] == "DONE":
            print(
                "portico: job %s %s is done, but was another worker's by then: it may be done twice"
                % (lease.name, lease.id),
                file=sys.stderr,
                flush=True,
            )

    def verdict(self, lease, verdict):
        """Its own words say all: where they were raised does not matter."""
        print(
            "portico: job %s %s is a dead letter (attempt %d of %d): %s"
            % (lease.name, lease.id, lease.attempt, lease.attempts, verdict),
            file=sys.stderr,
            flush=True,
        )
        return ("FAIL", str(verdict)[-LONGEST_ERROR:], "DEAD")

    def failure(self, lease, *more):
        text = trace.text(sys.exc_info()[1])
        last = "DEAD" in more or lease.attempt >= lease.attempts
        print(
            "portico: job %s %s failed (attempt %d of %d)%s\n%s"
            % (lease.name, lease.id, lease.attempt, lease.attempts, ", and is a dead letter now" if last else "", text),
            file=sys.stderr,
            end="",
            flush=True,
        )
        return ("FAIL", text[-LONGEST_ERROR:], *more)

    def show(self, lease):
        current = self.jobs.current
        current.id, current.name, current.queue = lease.id, lease.name, lease.queue
        current.attempt, current.attempts = lease.attempt, lease.attempts

    def keep(self):
        """Beside the job: says that it goes on, and ends it when its time is over."""
        beat_at = 0.0
        while True:
            time.sleep(0.05)
            in_hand, now = self.in_hand, time.monotonic()
            if in_hand is None:
                beat_at = now + BEAT
                continue
            lease, ends_at, limit = in_hand
            if ends_at is not None and now >= ends_at:
                self.give_up(in_hand, "it ran longer than its deadline of %g s" % limit, "FAIL")
            leaving_at = self.leaving_at
            if leaving_at is not None and now >= leaving_at + self.stop_after - MARGIN:
                self.give_up(in_hand, "its worker had to stop", "BACK")
            if now >= beat_at:
                beat_at = now + BEAT
                try:
                    self.ask("PORTICO.JOB.TOUCH", lease.id, lease.receipt)
                except Exception:  # noqa: B902: the next one, or the connection's end, tells
                    pass

    def give_up(self, in_hand, why, word):
        if self.in_hand is not in_hand:
            return
        lease = in_hand[0]
        main = sys._current_frames().get(threading.main_thread().ident)
        stack = "".join(traceback.format_list(own_part(traceback.extract_stack(main))))
        print(
            "portico: job %s %s: %s; where it stood:\n%s" % (lease.name, lease.id, why, stack),
            file=sys.stderr,
            flush=True,
        )
        more = (stack[-LONGEST_ERROR:] + why,) if word == "FAIL" else ()
        self.say(word, lease, *more)
        sys.stdout.flush()
        os._exit(LEFT)


def own_part(stack):
    """The frames of the job's own code: those behind the call of its function."""
    ours = [at for at, frame in enumerate(stack) if frame.filename == __file__]
    return stack[ours[-1] + 2 :] or stack


class Lease:
    def __init__(self, reply):
        facts = dict(zip(reply[::2], reply[1::2]))
        self.id = facts[b"id"].decode()
        self.receipt = facts[b"receipt"].decode()
        self.queue = facts[b"queue"].decode()
        self.name = facts[b"name"].decode()
        self.payload = facts[b"payload"]
        self.attempt = facts[b"attempt"]
        self.attempts = facts[b"attempts"]
        #: Seconds; 0: as the worker has it.
        self.deadline = facts[b"deadline"] / 1000
