"""Connections to what the applications of a site share. Safe to use from threads, greenlets and after forks."""
import os
import socket
import threading
import weakref
from collections import deque

from .resp import CommandError, Garbage, Reader, encode

VARIABLE = "PORTICO_COMMONS"
#: Longest wait for a reply, in seconds, beside what a command itself waits.
TIMEOUT = 5.0
#: Connections on which something is asked that is answered at once. Whoever comes then waits for its turn:
#: thousands of greenlets need no thousands of connections.
MOST_BUSY = 32
#: Idle connections that are kept.
MOST_IDLE = 32
#: The database of applications that use this package: apart from that of Redis clients, who may flush theirs.
DATABASE = 15


class NotInPortico(RuntimeError):
    """This process was not started by Portico."""


class Unavailable(ConnectionError):
    """Portico cannot be reached just now."""


def path():
    found = os.environ.get(VARIABLE)
    if not found:
        raise NotInPortico(
            "what applications share is there only when Portico runs them: the environment has no "
            "%s. Start the application with `portico serve`" % VARIABLE
        )
    return found


class Connection:
    """One connection. Not for two threads at a time; the pool sees to that."""

    def __init__(self, database=DATABASE):
        self.used = False
        self.reader = Reader()
        where = path()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.settimeout(TIMEOUT)
            self.socket.connect(where)
            self.ask(("SELECT", database))
        except (OSError, EOFError, CommandError) as error:
            self.close()
            raise Unavailable("Portico cannot be reached at %s: %s" % (where, error)) from error
        self.used = False

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, timeout=TIMEOUT):
        """One reply. Raises what the socket raises, and EOFError at its end."""
        reader = self.reader
        reply = reader.next()
        while reply is reader.more:
            self.socket.settimeout(timeout)
            data = self.socket.recv(65536)
            if not data:
                raise EOFError("Portico closed the connection")
            reader.feed(data)
            reply = reader.next()
        return reply

    def ask(self, args, timeout=TIMEOUT):
        """The reply to one command. Raises CommandError where it was refused."""
        self.send(encode(args))
        reply = self.receive(timeout)
        self.used = True
        if isinstance(reply, CommandError):
            raise reply
        return reply

    def ask_all(self, commands):
        """The replies to several commands, which leave together. Refusals are among them."""
        self.send(b"".join(map(encode, commands)))
        replies = [self.receive() for _ in commands]
        self.used = True
        return replies

    def close(self):
        self.socket.close()


class Pool:
    """Connections that are lent to whoever asks for something, as many as ask at a time."""

    def __init__(self):
        self.begin()

    def begin(self):
        self.idle = deque()
        #: Of this process, in use or not.
        self.all = weakref.WeakSet()
        self.room = threading.Semaphore(MOST_BUSY)

    def take(self):
        try:
            return self.idle.pop()
        except IndexError:
            made = Connection()
            self.all.add(made)
            return made

    def give_back(self, connection):
        if len(self.idle) < MOST_IDLE:
            self.idle.append(connection)
        else:
            connection.close()

    def forget(self):
        """In a new process: the connections are those of the one that it was forked from."""
        for connection in list(self.all):
            connection.close()
        self.begin()

    def ask(self, then, *args, timeout=TIMEOUT):
        """`then` of the reply to one command."""
        if timeout == TIMEOUT:
            with self.room:
                reply = self.run(lambda connection: connection.ask(args, timeout))
        else:
            # It waits for another, who has to have room.
            reply = self.run(lambda connection: connection.ask(args, timeout))
        return reply if then is None else then(reply)

    def ask_all(self, then, commands):
        with self.room:
            replies = self.run(lambda connection: connection.ask_all(commands))
        for reply in replies:
            if isinstance(reply, CommandError):
                raise reply
        return then(replies)

    def run(self, work):
        connection, result = self.run_keeping(work)
        self.give_back(connection)
        return result

    def run_keeping(self, work):
        """The connection, which is lent on, and `work(connection)`; once more where a kept one turns out to
        be closed: what is shared went with the process that closed it, so nothing was done twice."""
        while True:
            connection = self.take()
            kept = connection.used
            try:
                result = work(connection)
            except CommandError:
                self.give_back(connection)
                raise
            except (BrokenPipeError, ConnectionResetError, EOFError) as error:
                connection.close()
                if kept:
                    continue
                raise Unavailable("Portico closed the connection: %s" % error) from error
            except (OSError, Garbage) as error:
                connection.close()
                raise Unavailable("Portico does not answer: %s" % error) from error
            except BaseException:
                # Interrupted between question and answer: the next one would get that answer.
                connection.close()
                raise
            return connection, result


pool = Pool()
os.register_at_fork(after_in_child=pool.forget)
