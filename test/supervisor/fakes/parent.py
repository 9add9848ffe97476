"""A warm parent that speaks the control channel, and misbehaves as FAKE_APP says:

fail     the import fails                hang     the import never ends
crash    dies before it has loaded       lie      sends what is no message
young    its workers die at once         stubborn ignores `kill`
file     fails if the file FAKE_FILE exists
"""
import json
import os
import signal
import socket
import sys
import threading
import time

mode = os.environ.get("FAKE_APP", "")
channel = socket.socket(fileno=3)
lines = channel.makefile("r")
alive_read, alive_write = os.pipe()
workers = {}


def say(**message):
    channel.sendall((json.dumps(message) + "\n").encode())


def work(slot, links, log):
    os.close(alive_write)
    channel.close()
    out = socket.socket(socket.AF_UNIX)
    out.connect(log)
    out.sendall((json.dumps({"app": config["app"]["name"], "slot": slot, "pid": os.getpid()}) + "\n").encode())
    os.dup2(out.fileno(), 2)
    threading.Thread(target=lambda: (os.read(alive_read, 1), os._exit(0)), daemon=True).start()
    signal.signal(signal.SIGUSR2, lambda *_: print("Traceback of a stuck worker", file=sys.stderr, flush=True))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print("worker is up as", os.getuid(), os.getgroups(), file=sys.stderr, flush=True)
    if mode == "young":
        os._exit(1)
    while True:
        try:
            link = socket.socket(socket.AF_UNIX)
            link.connect(links[0])
            hello = {"app": config["app"]["name"], "slot": slot, "pid": os.getpid()}
            link.sendall(json.dumps(hello).encode())
            while word := link.recv(1):
                if word == b"q":
                    os._exit(0)
        except OSError:
            pass
        time.sleep(0.02)


def reap():
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            time.sleep(0.01)
            continue
        slot = next(slot for slot, known in workers.items() if known == pid)
        del workers[slot]
        if os.WIFSIGNALED(status):
            say(type="exited", slot=slot, pid=pid, code=None, signal=os.WTERMSIG(status))
        else:
            say(type="exited", slot=slot, pid=pid, code=os.WEXITSTATUS(status), signal=None)


config = json.loads(lines.readline())
print("importing", flush=True)
if mode == "fail" or mode == "file" and os.path.exists(os.environ["FAKE_FILE"]):
    say(type="failed", detail="Traceback: no module named shop")
elif mode == "hang":
    time.sleep(60)
elif mode == "crash":
    os._exit(9)
else:
    say(type="loaded", version="3.fake")

lock = threading.Lock()
threading.Thread(target=reap, daemon=True).start()
for line in lines:
    message = json.loads(line)
    slot = message.get("slot")
    if message["type"] == "spawn":
        if mode == "lie":
            channel.sendall(b'{"type": "spawned", "slot": "first"}\n')
            continue
        pid = os.fork()
        if pid == 0:
            work(slot, config["links"], config["log"])
        workers[slot] = pid
        say(type="spawned", slot=slot, pid=pid)
    elif message["type"] == "traceback":
        os.kill(workers[slot], signal.SIGUSR2)
    elif message["type"] == "kill" and mode != "stubborn":
        os.kill(workers[slot], signal.SIGKILL)
    elif message["type"] == "quit":
        for pid in list(workers.values()):
            os.kill(pid, signal.SIGTERM)
        time.sleep(0.05)
        os._exit(0)
