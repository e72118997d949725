"""Those who mean harm at the control socket: any bytes, any size, half lines, answers that nobody reads, and
too many connections. Root always gets through."""

import contextlib
import json
import random
import select
import time

from support import wait_for
from support.control import DOMAIN, Caller, Machine
from support.mail import imap

USERS = ("games", "news", "mail", "lp", "backup", "www-data", "uucp")
MORE = ("proxy", "list", "irc")
STATUS = {"verb": "whoami"}


def is_served(server, name="root"):
    with Caller(server, name) as caller:
        try:
            caller.send(STATUS)
            caller.socket.shutdown(1)
        except OSError:
            return False
        answers = end_of(caller)  # and it holds no place any more
        return len(answers) == 1 and answers[0]["ok"]


def refused(server, name):
    """Whether one connection more of this user is told that it is too many."""
    with Caller(server, name) as caller:
        said = caller.answer()[1]
        return said["kind"] == "limit" and caller.answer()[1] is None


def end_of(caller):
    """Answers up to the end of the connection."""
    answers = []
    try:
        while True:
            said = caller.answer()[1]
            if said is None:
                return answers
            answers.append(said)
    except ConnectionError:
        return answers


def all_said_to(caller, *requests):
    """The answers to requests after which nothing more comes; one that is too long is answered before its end."""
    with contextlib.suppress(OSError):
        for request in requests:
            caller.send(request)
        caller.socket.shutdown(1)
    return end_of(caller)


def hold(server, name, request=b'{"verb": "who'):
    """A connection that was served, and keeps its place with half a line."""
    caller = Caller(server, name)
    caller.send(STATUS)
    assert caller.answer()[1]["ok"], name
    caller.send(request)
    return caller


def is_open(caller):
    return not select.select([caller.socket], [], [], 0)[0]


def test_nobody_takes_all_connections():
    with Machine(users=USERS + MORE) as server:
        callers = {name: [] for name in USERS + ("root",)}
        for _ in range(8):
            callers["games"].append(hold(server, "games"))
        assert refused(server, "games") and is_served(server, "news") and is_served(server)
        for name in USERS[1:6]:
            callers[name] += [hold(server, name) for _ in range(8)]
        # All places are taken: who has most of them makes room, those of his that waited longest first.
        callers["uucp"].append(hold(server, "uucp"))
        [told] = end_of(callers["games"].pop(0))
        assert told["kind"] == "limit" and "makes room for another user" in told["error"], told
        assert sum(is_open(c) for held in callers.values() for c in held) == 48
        # A share that is no larger than that of others, and what others have stays with them then.
        callers["uucp"] += [hold(server, "uucp") for _ in range(5)]
        assert refused(server, "uucp") and refused(server, "uucp")
        still = {name: [c for c in held if is_open(c)] for name, held in callers.items()}
        assert [len(still[name]) for name in USERS] == [7] * 6 + [6], still
        for name in USERS[1:6]:
            assert still[name] == callers[name][1:], name
        # One who has but one connection keeps it, whatever the others do.
        one = hold(server, "proxy")
        for _ in range(30):
            for name in USERS:
                with Caller(server, name) as caller, contextlib.suppress(OSError):
                    caller.send(STATUS)
        assert is_open(one)
        one.send(b'ami"}\n')
        assert one.answer()[1]["ok"]  # as "whoami"
        callers["list"] = [hold(server, "list")]
        assert is_served(server)
        # Root has places of its own.
        callers["root"] += [hold(server, "root") for _ in range(16)]
        assert refused(server, "root") and is_served(server, "irc")
        callers["root"].pop().__exit__()
        wait_for(lambda: is_served(server))
        for held in (*callers.values(), [one]):
            for caller in held:
                caller.__exit__()
        wait_for(lambda: is_served(server, "uucp") and is_served(server))
        assert server.log().count("too many control connections") == 1


def test_requests_that_wait_make_room():
    """Of a user whose requests take long those go that wait for their turn."""
    names = USERS[:6]
    with Machine(users=USERS + MORE) as server:
        box = imap(server, "games")
        for _ in range(2):
            box.append("INBOX", None, None, b"Subject: large\r\n\r\n" + b"line of text\r\n" * 100000)
        box.logout()
        running = [Caller(server, "games") for _ in range(2)]
        for caller in running:
            caller.send({"verb": "messages get", "args": {}})
            caller.file.readline()  # it has begun
        waiting = []
        for _ in range(6):
            waiting.append(Caller(server, "games"))
            waiting[-1].send(STATUS)  # for its turn
        others = [hold(server, name) for name in names[1:] for _ in range(7)] + [hold(server, "uucp") for _ in range(5)]
        one = hold(server, "proxy")
        [told] = end_of(waiting[0])  # the first of the user with most connections, but none whose request runs
        assert told["kind"] == "limit", told
        assert is_open(waiting[1]) and all(map(is_open, others)) and is_open(one)
        another = hold(server, "list")  # many have seven now: those that wait for a request go first
        assert is_open(waiting[1]) and not is_open(others[0]) and all(map(is_open, others[1:])) and is_open(another)
        for caller in (*running, *waiting, *others, one, another):
            caller.__exit__()
        wait_for(lambda: is_served(server, "games"))


def test_any_bytes():
    noise = random.Random(9)
    lines = [b"\n", b"\0\n", b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"{}\n", b"[]\n", b"null\n", b'"verb"\n', b'{"verb": 7}\n',
             b'{"verb": "who", "args": 7}\n', b'{"verb": "who", "verb": "stop"}\n', b'{"verb": "who", "args": {"a": 1, "a": 2}}\n',
             b'{"verb": "\xff\xfe"}\n', b'{"verb": "who\\u0000"}\n', b'{"verb": "who"} {"verb": "stop"}\n', b"[" * 200000 + b"\n",
             b'{"a":' * 200000 + b"\n", b'{"verb": "who", "args": {"user": ' + b"[" * 40 + b"]" * 40 + b"}}\n",
             b'{"verb": "who", "args": {"idle": 99999999999999999999999}}\n', b'{"verb": "who", "args": {"idle": 1e999}}\n',
             b"x" * 260000 + b"\n", b"x" * 1100000 + b"\n", b'{"verb": "who"']
    lines += [bytes(noise.randrange(256) for _ in range(noise.randrange(1, 300))) + b"\n" for _ in range(60)]
    with Machine() as server:
        for name in ("games", "root"):
            for line in lines:
                with Caller(server, name) as caller:
                    for said in all_said_to(caller, line):
                        assert not said["ok"] and said["kind"] in ("syntax", "limit"), (name, line[:80], said)
            assert is_served(server, name)
        # Gone before the answer.
        for _ in range(50):
            with Caller(server, "games") as caller, contextlib.suppress(OSError):
                caller.send({"verb": "mailbox status"})
        wait_for(lambda: is_served(server, "games"))


ODD = [None, True, 7, -1, 1 << 62, 1e300, "", "x" * 5000, "\x01\n\"\\", "\u20ac" * 100, "*", "../..", [], [None], [[]], ["x", 7, {}],
       {}, {"x": {"y": []}}, {"login": 7, "states": 7, "age_least": -1}]
NAMES = ("user login address name mailbox mailboxes to query fields known list filter ids id limit count by span destination domain "
         "members grantees forwards protocols networks expires minutes level label old password force disabled storage messages "
         "identifier rights text client sender recipient peer idle state protocol since until uids before change flags what "
         "priority pattern kind all repair missing subscribe uid_validity metadata account_metadata time uid_next").split()
# Those that end the server, or are meant to take long.
LEFT_OUT = {"stop", "hand over"}


def test_every_verb_with_odd_arguments():
    """Whatever stands in arguments is refused or done, and the server lives; of root, who may call them all."""
    with Machine() as server:
        with Caller(server, "root") as root:
            verbs = sorted(set(root.ask("whoami")["result"]["verbs"]) - LEFT_OUT)
        noise = random.Random(10)
        for verb in verbs:
            cases = [dict.fromkeys(NAMES, value) for value in noise.sample(ODD, 3)]
            cases += [{name: noise.choice(ODD) for name in NAMES if noise.random() < 0.7} for _ in range(2)]
            cases += [{**{name: noise.choice(ODD) for name in NAMES}, "user": "games", "login": "games@example.test"}]
            for args in cases:
                for name in ("root", "games"):
                    args = {k: v for k, v in args.items() if k != "all"}
                    with Caller(server, name) as caller:
                        all_said_to(caller, {"verb": verb, "args": args})
            assert is_served(server), verb
        assert is_served(server, "news")


def test_items_of_any_kind():
    heads = [{"item": None}, {"item": []}, {"item": {"message": 7}, "bytes": 3}, {"item": {"message": {}}, "bytes": -1},
             {"item": {"message": {}}, "bytes": 1 << 40}, {"item": {"message": {}}, "bytes": 3, "more": True}, {"bytes": 3}, [], 7,
             {"item": {"message": {"uid": -5, "date": "x", "saved": [], "flags": 7, "keywords": "a" * 2000}}, "bytes": 3},
             {"item": {"message": {"keywords": " ".join("k%d" % n for n in range(5000))}}, "bytes": 3}]
    with Machine() as server:
        for name in ("games", "root"):
            for head in heads:
                with Caller(server, name) as caller:
                    all_said_to(caller, {"verb": "messages put", "args": {"user": "games", "mailbox": "Odd"}}, head,
                                b"abc" + json.dumps({"end": True}).encode() + b"\n")
            assert is_served(server, name)
        assert server.mailctl("mailbox", "status", "games")


def test_a_long_list_of_what_is_known():
    """Compared with each message it holds up nobody else."""
    with Machine() as server:
        with Caller(server, "games") as caller:
            caller.send({"verb": "messages put", "args": {"mailbox": "Many"}})
            item = json.dumps({"item": {"message": {}}, "bytes": 3}).encode() + b"\nabc"
            caller.send(item * 3000 + b'{"end": true}\n')
            assert caller.answer()[1]["ok"]
        with Caller(server, "games") as caller:
            caller.send({"verb": "messages get", "args": {"mailboxes": ["Many"], "list": True}})
            items, answer = caller.answer()
            assert answer["result"]["messages"] == 3000, answer
        box = next(i["item"] for i in items if "mailbox" in i["item"])
        known = {"uid_validity": box["uid_validity"], "uid_next": 1 << 31, "again": [5, 7] + [9] * 120000}
        with Caller(server, "games") as caller:
            request = {"verb": "messages get", "args": {"mailboxes": ["Many"], "known": {box["id"]: known}}}
            begun = time.monotonic()
            caller.send(json.dumps(request, separators=(",", ":")).encode() + b"\n")
            items, answer = caller.answer()
            assert [i["item"]["message"]["uid"] for i in items if "message" in i["item"]] == [5, 7, 9], items[:3]
            assert time.monotonic() - begun < 5, time.monotonic() - begun
            # In another order they say nothing, and all is sent.
            known["again"] = [7, 5]
            caller.send(request)
            assert caller.answer()[1]["result"]["messages"] == 3000


def test_many_names_for_many_mailboxes():
    """Each mailbox is compared with each name that was asked for: others have their turns meanwhile."""
    with Machine() as server:
        with Caller(server, "games") as caller:
            for n in range(400):
                assert caller.ask("mailbox create", mailbox="m%d" % n)["ok"]
        for verb in ("mailbox list", "mailbox status", "messages get"):
            with Caller(server, "games") as caller:
                request = {"verb": verb, "args": {"mailboxes": ["x"] * 60000}}
                begun = time.monotonic()
                caller.send(json.dumps(request, separators=(",", ":")).encode() + b"\n")
                longest = 0
                while not select.select([caller.socket], [], [], 0)[0]:
                    before = time.monotonic()
                    assert is_served(server)
                    longest = max(longest, time.monotonic() - before)
                assert "no such mailbox" in caller.answer()[1]["error"]
                took = time.monotonic() - begun
                assert longest < 0.3 or longest < took / 3, (verb, longest, took)


def test_answers_that_nobody_reads():
    """Two requests of a user whose answers are not taken hold up his third, and nobody else's."""
    with Machine(config=DOMAIN) as server:
        box = imap(server, "games")
        for n in range(4):
            box.append("INBOX", None, None, b"Subject: large\r\n\r\n" + b"line of text\r\n" * 100000)
        box.logout()
        silent = [Caller(server, "games") for _ in range(2)]
        for caller in silent:
            caller.send({"verb": "messages get", "args": {}})
            caller.file.readline()  # it has begun
        with Caller(server, "games") as third:
            third.send(STATUS)
            assert is_served(server, "news") and is_served(server)
            assert not select.select([third.socket], [], [], 0)[0]
            silent[0].__exit__()
            assert third.answer()[1]["ok"]
        silent[1].__exit__()
        assert is_served(server, "games")
