"""An SMTP server for tests that takes mail as scripted: another site's mail server."""

import queue
import socketserver
import threading


class Handler(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        sink = self.server.sink
        sink.connections += 1
        self.say("220 sink.test ESMTP")
        sender, recipients = None, []
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
                self.wfile.write(b"250-sink.test\r\n" + b"".join(
                    b"250-" + e.encode() + b"\r\n" for e in sink.extensions) + b"250 HELP\r\n")
            elif verb == "MAIL":
                sender, recipients = command, []
                self.say(reply or "250 2.1.0 ok")
            elif verb == "RCPT":
                if not reply or reply.startswith("2"):
                    recipients.append(command[command.index("<") + 1:command.index(">")])
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
                                       "data": data})
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
                                                 "ENHANCEDSTATUSCODES", "SIZE 10000000")):
        self.reply = replies or (lambda verb, command: None)
        self.extensions = extensions
        self.messages = queue.Queue()
        self.connections = 0
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.sink = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, seconds=30):
        return self.messages.get(timeout=seconds)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
