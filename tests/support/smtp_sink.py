"""An SMTP server for tests that takes mail as scripted: another site's mail server."""

import queue
import socket
import socketserver
import ssl
import threading


class Handler(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.server.sink.open.add(self.request)
        plain = self.request
        try:
            self.converse()
        except (ConnectionError, ValueError):
            pass  # the server under test was killed, or the sink has hung up
        finally:
            self.server.sink.open.discard(plain)

    def converse(self):
        sink = self.server.sink
        sink.connections += 1
        sink.clients.append(self.client_address[0])
        self.say("220 sink.test ESMTP")
        sender, recipients, rcpts, secure = None, [], [], False
        while True:
            line = self.rfile.readline()
            if not line:
                return
            command = line.decode("latin-1").strip()
            verb = command.split(" ")[0].split(":")[0].upper()
            reply = sink.reply(verb, command)
            if reply == "close":
                return
            if verb == "EHLO" and not reply:
                offered = list(sink.extensions)
                if sink.tls and not secure:
                    offered.append("STARTTLS")
                if secure:
                    offered += sink.extensions_over_tls
                self.wfile.write(b"250-sink.test\r\n" + b"".join(
                    b"250-" + e.encode() + b"\r\n" for e in offered) + b"250 HELP\r\n")
            elif verb == "STARTTLS" and sink.tls and not secure:
                self.say("220 go on")
                try:
                    self.request = sink.tls.wrap_socket(self.request, server_side=True)
                except (ssl.SSLError, OSError):
                    return
                self.setup()
                secure = True
            elif verb == "MAIL":
                sender, recipients, rcpts = command, [], []
                self.say(reply or "250 2.1.0 ok")
            elif verb == "RCPT":
                if not reply or reply.startswith("2"):
                    recipients.append(command[command.index("<") + 1:command.index(">")])
                    rcpts.append(command)
                self.say(reply or "250 2.1.5 ok")
            elif verb == "DATA":
                if reply or not recipients:
                    self.say(reply or "554 5.5.1 no valid recipients")
                    continue
                self.say("354 go on")
                data = b""
                while True:
                    line = self.rfile.readline()
                    if not line:
                        return
                    if line == b".\r\n":
                        break
                    data += line[1:] if line.startswith(b".") else line
                reply = sink.reply("DOT", command)
                if not reply or reply == "lost":
                    sink.messages.put({"sender": sender, "recipients": list(recipients),
                                       "rcpts": rcpts, "data": data, "tls": secure})
                if reply == "lost":
                    return
                self.say(reply or "250 2.0.0 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say(reply or "250 ok")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class SmtpSink:
    """replies: function (verb, command line) -> None (take it), a reply, "close", or at DOT "lost"."""

    def __init__(self, replies=None, extensions=("PIPELINING", "8BITMIME", "SMTPUTF8",
                                                 "ENHANCEDSTATUSCODES", "SIZE 10000000"),
                 tls=None, extensions_over_tls=(), address=("127.0.0.1", 0)):
        """tls: an ssl.SSLContext for STARTTLS."""
        self.open = set()
        self.reply = replies or (lambda verb, command: None)
        self.extensions = extensions
        self.tls = tls
        self.extensions_over_tls = list(extensions_over_tls)
        self.messages = queue.Queue()
        self.connections = 0
        self.clients = []  # their addresses
        self.server = Server(address, Handler)
        self.server.sink = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __setattr__(self, name, value):
        """Who has a connection knows the old extensions: it is ended."""
        object.__setattr__(self, name, value)
        if name == "extensions":
            self.hang_up()

    def hang_up(self):
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def next(self, seconds=30):
        return self.messages.get(timeout=seconds)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
