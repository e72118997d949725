"""Users who trace messages in a store of months: they get a part of the threads that read, and not for long."""

import os
import select
import subprocess
import time

from support.control import Caller, Machine
from support.instance import ROOT, build_dir
from support.mail import imap

USERS = ("games", "news", "mail", "lp", "backup", "www-data", "uucp", "proxy")
STORE_MEGABYTES = 300
QUICK = 5  # seconds, for what takes milliseconds on a machine that has nothing else to do
SANITIZERS = ["-fsanitize=address,undefined"]


def fill_store(directory, megabytes, accounts):
    program = os.path.join(directory, "fill_trace")
    build = build_dir()
    command = ["cc", "-O2", "-D_GNU_SOURCE", "-I" + ROOT + "/src", *(SANITIZERS if "sanitize" in build else []), "-o", program,
               os.path.join(ROOT, "tests", "support", "fill_trace.c"), "-L" + build, "-lmaild_trace", "-lmaild_core", "-levent",
               "-lz", "-lpthread", "-lseccomp", "-lpcre2-8"]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    os.makedirs(os.path.join(directory, "store"))
    subprocess.run([program, os.path.join(directory, "store"), str(megabytes), *accounts], check=True, capture_output=True)
    return os.path.join(directory, "store")


def quickly(function):
    begin = time.monotonic()
    result = function()
    taken = time.monotonic() - begin
    assert taken < QUICK, "it took %.1f s" % taken
    return result


def read_all(box, numbers):
    assert box.select("INBOX")[0] == "OK"
    found = box.fetch("1:*", "(ENVELOPE BODYSTRUCTURE)")[1]
    assert len(found) == numbers, found
    assert box.fetch("%d" % numbers, "(BODY[])")[0] == "OK"


def send_all(server, names):
    """Traces of these users, all at once; their connections."""
    callers = [Caller(server, name) for name in names]
    for name, caller in zip(names, callers):
        caller.send({"verb": "trace", "args": {"what": name + "@example.test"}})
    return callers


def take_answers(callers, ends, seconds):
    waiting = {c.socket: c for c in callers if c not in ends}
    for answered in select.select(list(waiting), [], [], seconds)[0]:
        ends[waiting[answered]] = waiting[answered].answer()[1]
        waiting[answered].__exit__()
    return ends


def wait_for_all(callers, ends):
    while len(ends) < len(callers):
        before = len(ends)
        assert len(take_answers(callers, ends, 60)) > before, "no answer comes any more"
    return list(ends.values())


def test_traces_of_users_leave_threads_to_others():
    server = Machine(users=USERS + ("bob",))
    store = fill_store(server.directory, STORE_MEGABYTES, ["%s@example.test" % u for u in USERS])
    server.add_config("trace {\n    path = %s\n    size_max = 10G\n}\n" % store)
    with server:
        box = imap(server, "bob")
        for n in range(200):
            box.append("INBOX", None, None, b"Subject: %d\r\n\r\ntext\r\n" % n)
        # Four at a time have the time that there is, and no more.
        games = server.start_as("games", "trace", "games@example.test")
        three = send_all(server, USERS[1:4])
        ends = {}
        while not ends:
            ends = take_answers(three, ends, 0)
            quickly(lambda: read_all(box, 200))
            assert quickly(lambda: server.run_mailctl("trace", "zzzzzzzzzzzzz", check=False)).returncode == 4
        assert all(a["ok"] and a["result"]["late"] == 10 and a["result"]["incomplete"] for a in wait_for_all(three, ends)), ends
        said = games.communicate(timeout=60)[1]
        assert games.returncode == 1 and "cut off after 10 seconds" in said and "--since" in said, said
        # Of more that come at a time each gets its turn, or is told that there was none.
        begin = time.monotonic()
        many = send_all(server, [name for name in USERS for _ in range(2)])
        said = wait_for_all(many, {})
        assert time.monotonic() - begin < 50
        served = [a for a in said if a["ok"]]
        assert len(served) >= 8 and len(said) == 16, said
        assert all(a["kind"] == "temporary" and "one of each user" in a["error"] for a in said if not a["ok"]), said
        box.logout()


def test_moments_that_are_none():
    with Machine(users=("games",)) as server:
        for name in ("since", "until"):
            for value in (1 << 62, -1):
                with Caller(server, "games") as caller:
                    caller.send({"verb": "trace", "args": {"what": "x", name: value}})
                    said = caller.answer()[1]
                    assert not said["ok"] and said["kind"] == "syntax" and name in said["error"], said
