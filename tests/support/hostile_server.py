"""A mail server that does wrong on purpose. Each behaviour is a function that plays one connection; which one it is says the
loopback address that the client has connected to, so that one port has them all."""

import queue
import select
import socket
import ssl
import struct
import threading
import time


class Gone(Exception):
    """The client has left, or the server has done what it wanted."""


class Conversation:
    """One connection. What is read as a message is kept in server.messages with the server's address."""

    def __init__(self, server, connection, address):
        self.server = server
        self.socket = connection
        self.address = address
        self.buffer = b""
        self.sender = None
        self.recipients = []

    # --- bytes ---

    def send(self, data):
        if isinstance(data, str):
            data = data.encode("latin-1")
        try:
            self.socket.sendall(data)
        except OSError:
            raise Gone

    def say(self, *lines):
        self.send("".join(line + "\r\n" for line in lines))

    def drip(self, data, pause=0.02):
        for byte in data.encode("latin-1"):
            self.send(bytes([byte]))
            time.sleep(pause)

    def receive(self):
        try:
            data = self.socket.recv(65536)
        except OSError:
            raise Gone
        if not data:
            raise Gone
        self.buffer += data

    def line(self):
        while b"\n" not in self.buffer:
            self.receive()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode("latin-1")

    def expect(self, verb):
        line = self.line()
        if not line.upper().startswith(verb):
            self.server.complaints.append("%s: wanted %s, got %r" % (self.address, verb, line))
            raise Gone
        return line

    def hang(self):
        """Reads and says nothing until the client has had enough."""
        while True:
            self.receive()

    def deaf(self):
        """Does not even read."""
        while True:
            time.sleep(0.2)
            if select.select([self.socket], [], [], 0)[0] and self.socket.recv(1, socket.MSG_PEEK) == b"":
                raise Gone
            if self.server.closing:
                raise Gone

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)
        self.hang()

    def start_tls(self, context):
        try:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        except (ssl.SSLError, OSError):
            raise Gone
        self.buffer = b""

    # --- SMTP up to a point ---

    def greet(self):
        self.say("220 hostile.test ESMTP")

    def hello(self, *extensions):
        self.greet()
        self.expect("EHLO")
        self.offer(*extensions)

    def offer(self, *extensions):
        lines = ["hostile.test"] + list(extensions)
        self.say(*["250-" + line for line in lines[:-1]], "250 " + lines[-1])

    def mail(self):
        self.sender = self.expect("MAIL")
        self.say("250 2.1.0 ok")

    def rcpt(self):
        self.recipients.append(self.expect("RCPT"))
        self.say("250 2.1.5 ok")

    def data(self):
        self.expect("DATA")
        self.say("354 go on")

    def read_message(self):
        data = b""
        while True:
            line = self.line()
            if line == ".":
                return data
            data += line.encode("latin-1") + b"\n"

    def take(self, data):
        self.server.messages.put((self.address, data))

    def serve(self, *extensions, hello=True):
        """An honest server from here on."""
        if hello:
            self.hello(*extensions)
        while True:
            line = self.line()
            verb = line.upper().split(" ")[0].split(":")[0]
            if verb == "QUIT":
                self.say("221 bye")
                raise Gone
            if verb == "DATA":
                self.say("354 go on")
                self.take(self.read_message())
                self.say("250 2.0.0 taken")
            elif verb == "BDAT":
                size = int(line.split()[1])
                while len(self.buffer) < size:
                    self.receive()
                self.take(self.buffer[:size])
                self.buffer = self.buffer[size:]
                self.say("250 2.0.0 taken")
            elif verb in ("EHLO", "HELO"):
                self.offer(*extensions)
            else:
                self.say("250 ok")


class HostileServer:
    """behaviours: a list of functions of a Conversation; the first is played at 127.1.0.1, and so on. A list of functions is
    played one for each connection, the last for all further ones."""

    def __init__(self, behaviours):
        self.behaviours = behaviours
        self.messages = queue.Queue()
        self.complaints = []
        self.connections = {}
        self.honest = False
        self.closing = False
        self.listener = socket.create_server(("0.0.0.0", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    @staticmethod
    def address(index):
        return "127.1.%d.%d" % divmod(index + 1, 256)

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.play, args=(connection,), daemon=True).start()

    def play(self, connection):
        with connection:
            connection.settimeout(60)
            address = connection.getsockname()[0]
            index = int(address.split(".")[2]) * 256 + int(address.split(".")[3]) - 1
            count = self.connections[address] = self.connections.get(address, 0) + 1
            conversation = Conversation(self, connection, address)
            try:
                if self.honest or index >= len(self.behaviours):
                    conversation.serve("PIPELINING")
                behaviour = self.behaviours[index]
                if isinstance(behaviour, (list, tuple)):
                    behaviour = behaviour[min(count, len(behaviour)) - 1]
                behaviour(conversation)
            except (Gone, OSError):
                pass
            finally:
                if conversation.socket is not connection:
                    conversation.socket.close()

    def close(self):
        self.closing = True
        self.listener.close()
