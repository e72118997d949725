"""SIGKILL at random moments while mail is on its way to other servers.

The sinks outlive the kills. They count what they took of each message for each recipient, and for each time
they know whether the client can have read their reply: it has when it said something more on that connection.
So what was taken twice must have been in flight at a kill, each time but the last."""

import random
import socketserver
import threading
import time

from . import wait_for
from .actors import Lines, Refused
from .disk_layer import Layered
from .imap_raw import ProtocolError
from .ledger import Observed, message, token_of

DOMAINS = 4
USERS = ("alice", "bob")
PER_INSTANCE = 60
LISTS = (1, 1, 1, 2, 5, 12)  # recipients of a message
QUEUE = """
queue {
    retry_first = 1s
    retry_max = 2s
    connection_linger = 0
}
quota {
    over_quota = later
    warnings = ""
}
"""


class Taken:
    """One message for one recipient, once."""

    def __init__(self, run):
        self.run = run  # of the server: the number of kills before it
        self.in_flight = True  # the client may not know


class Handler(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def line(self):
        """What comes shows that the reply before it was read."""
        line = self.rfile.readline()
        if line.endswith(b"\n"):
            for taken in self.flying:
                taken.in_flight = False
            self.flying = []
        return line

    def handle(self):
        sinks, self.flying = self.server.sinks, []
        sinks.enter(1)
        try:
            self.converse(sinks)
        except OSError:
            pass  # the server was killed
        finally:
            sinks.enter(-1)

    def converse(self, sinks):
        recipients = []
        self.say("220 sink.test ESMTP")
        while line := self.line():
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.say("250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10000000")
            elif verb == b"MAIL":
                recipients = []
                self.say("250 ok")
            elif verb == b"RCPT" and sinks.random.random() < 0.03:
                self.say("450 not now")
            elif verb == b"RCPT":
                recipients.append(line[line.index(b"<") + 1:line.index(b">")].decode())
                self.say("250 ok")
            elif verb == b"DATA" and not recipients:
                self.say("554 no recipients")
            elif verb == b"DATA":
                self.say("354 go on")
                self.take(sinks, recipients)
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def take(self, sinks, recipients):
        data = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return
            data.append(line)
        if sinks.random.random() < 0.03:
            self.say("451 not now")
            return
        self.flying = sinks.note(b"".join(data), recipients)
        time.sleep(sinks.random.choice((0, 0, 0.001, 0.005)))
        if sinks.random.random() < 0.2:
            self.wfile.write(b"250")
            time.sleep(0.001)
            self.say(" taken")
        else:
            self.say("250 taken")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 100


class Sinks:
    """Servers of the domains d0.test, d1.test ..."""

    def __init__(self, seed):
        self.random = random.Random("%s sinks" % seed)
        self.lock = threading.Lock()
        self.taken = {}  # (token, recipient): list of Taken
        self.damaged = []
        self.run, self.open = 0, 0
        self.servers = [Server(("127.0.0.1", 0), Handler) for _ in range(DOMAINS)]
        for server in self.servers:
            server.sinks = self
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def routes(self):
        return "".join("route d%d { recipient = d%d.test; hosts = [127.0.0.1]:%d }\n" % (i, i, s.server_address[1])
                       for i, s in enumerate(self.servers))

    def enter(self, count):
        with self.lock:
            self.open += count

    def note(self, data, recipients):
        token = token_of(data)
        with self.lock:
            if token is None or not data.endswith(message(token)):
                self.damaged.append((token, data[:300]))
            taken = [Taken(self.run) for _ in recipients]
            for one, recipient in zip(taken, recipients):
                self.taken.setdefault((token, recipient), []).append(one)
            return taken

    def killed(self):
        """The connections of the server that was killed come to their end; what follows is the next one's."""
        wait_for(lambda: self.open == 0, "a connection of the killed server is open")
        self.run += 1

    def repeated(self):
        """How often something was taken that had been before."""
        return sum(len(times) - 1 for times in self.taken.values())

    def check(self):
        assert not self.damaged, "damaged: %s" % self.damaged[:2]
        for key, times in self.taken.items():
            for first, second in zip(times, times[1:]):
                assert first.in_flight, "%s was sent again, and its reply had been read" % (key,)
                assert first.run < second.run, "%s was sent twice between two kills" % (key,)

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()


def hand_in(client, sender, token, recipients):
    client.say(b"MAIL FROM:<%s>" % sender.encode())
    for recipient in recipients:
        client.say(b"RCPT TO:<%s>" % recipient.encode())
    client.say(b"DATA")
    client.say(message(token) + b".")


class Sender(threading.Thread):
    """Hands in so many messages; each has a name of its own."""

    def __init__(self, trial, prefix, count):
        super().__init__()
        self.trial, self.prefix, self.count = trial, prefix, count
        self.random = random.Random("%s %s" % (trial.seed, prefix))
        self.refusals = []

    def recipients(self):
        if self.random.random() < 0.1:
            return ["team@example.test"]
        return ["r%d@d%d.test" % (i, self.random.randrange(DOMAINS)) for i in range(self.random.choice(LISTS))]

    def run(self):
        try:
            client = Lines(self.trial.server.port("local"))
            client.say(b"EHLO c.test")
            for number in range(self.count):
                token, recipients = "%s-%d" % (self.prefix, number), self.recipients()
                self.trial.attempted[token] = recipients
                hand_in(client, "s%d@elsewhere.test" % self.random.randrange(5), token, recipients)
                self.trial.acknowledged[token] = recipients
            client.close()
        except Refused as refused:
            self.refusals.append(str(refused))
        except (OSError, ProtocolError):
            pass  # killed


class Trial:
    def __init__(self, seed, control=False):
        self.seed = seed
        self.random = random.Random(seed)
        self.sinks = Sinks(seed)
        self.attempted, self.acknowledged = {}, {}  # token: recipients
        self.server = Layered(control=control, sync_delay=1500, extra=QUEUE + self.sinks.routes())

    def close(self):
        self.server.kill()
        self.server.close()
        self.sinks.close()

    def begin(self):
        """Bob's mailbox has something in it: it is full when one message is the limit."""
        self.server.start()
        self.server.mailctl("address", "add", "team@example.test", *["%s@example.test" % u for u in USERS])
        client = Lines(self.server.port("local"))
        client.say(b"EHLO c.test")
        hand_in(client, "s@elsewhere.test", "first", ["bob@example.test"])
        client.close()

    def let_bob_have_mail(self, yes):
        """When not, the list's mail goes to alice, and waits for bob."""
        self.server.mailctl("quota", "set", "bob@example.test", "--messages", "0" if yes else "1")

    def kill_once(self, number):
        self.let_bob_have_mail(self.random.random() < 0.6)
        senders = [Sender(self, "m%d-%d" % (number, i), self.random.randint(1, 25)) for i in range(3)]
        for sender in senders:
            sender.start()
        time.sleep(self.random.uniform(0.05, 0.9))  # the moment is what is random here
        assert self.server.process.poll() is None, "maild ended with %d" % self.server.process.returncode
        self.server.kill()
        for sender in senders:
            sender.join()
        refusals = [r for s in senders for r in s.refusals]
        assert not refusals, "nothing was wrong, but: %s" % refusals[:3]
        self.sinks.killed()
        self.sinks.check()
        while self.random.random() < 0.2:  # now and then while it starts
            self.server.start(wait=False)
            time.sleep(self.random.uniform(0, 0.1))
            self.server.kill()
            self.sinks.killed()
        self.server.start()

    def retry_until_empty(self):
        self.server.mailctl("queue", "retry")
        return not self.server.mailctl_json("queue", "list")

    def end(self):
        self.let_bob_have_mail(True)
        wait_for(self.retry_until_empty, "the queue does not become empty", seconds=60)
        self.sinks.check()
        local = Observed(self.server, USERS).world
        for token, recipients in self.attempted.items():
            if recipients == ["team@example.test"]:
                self.check_local(token, local.get(("message", token), ()))
                continue
            missing = [r for r in recipients if (token, r) not in self.sinks.taken]
            assert not missing or (token not in self.acknowledged and len(missing) == len(recipients)), \
                "%s never came to %s" % (token, missing)
        alien = [key for key in self.sinks.taken if key[1] not in self.attempted.get(key[0], ())]
        assert not alien, "nobody sent these: %s" % alien[:5]

    def check_local(self, token, copies):
        """The mailboxes are ours: here nothing is in flight."""
        wanted = tuple((user, "INBOX", ()) for user in USERS)
        assert copies == wanted or (not copies and token not in self.acknowledged), "%s is at %s" % (token, copies)


def run_instance(seed, kills):
    """(messages acknowledged, times that something was sent again)"""
    trial, number = Trial(seed), 0
    try:
        trial.begin()
        for number in range(1, kills + 1):
            trial.kill_once(number)
        trial.end()
        trial.server.stop()
        return len(trial.acknowledged), trial.sinks.repeated()
    except AssertionError as error:
        raise AssertionError("seed %s, kill %d: %s\n%s" % (seed, number, error, trial.server.log()[-1500:]))
    finally:
        trial.close()


def run(seed, kills, report=lambda text: None):
    done, messages, repeated, number = 0, 0, 0, 0
    while done < kills:
        count = min(PER_INSTANCE, kills - done)
        more, again = run_instance("%s.%d" % (seed, number), count)
        done, messages, repeated, number = done + count, messages + more, repeated + again, number + 1
    report("%d kills, %d messages, %d times in flight" % (kills, messages, repeated))
    assert messages > kills, "hardly anything was sent: %d messages" % messages
