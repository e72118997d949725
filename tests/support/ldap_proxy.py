"""A proxy in front of an LDAP server that is slow, mute or broken on command; threads of this process.

Its mode counts for what passes from now on, on connections that stand already, too:
  "pass"      as it comes
  "drip"      the server's answers byte by byte, with a pause before each
  "stall"     nothing passes, connections stay open; goes on with another mode
  "cut"       the connection ends after `bytes` more bytes of answer
  "garbage"   answers come with every bit turned: no LDAP
  "reset"     connections are reset, new ones too
"""

import socket
import struct
import threading
import time

from . import Closing


class LdapProxy(Closing):
    def __init__(self, port, host="127.0.0.1"):
        self.target = (host, port)
        self.mode, self.bytes, self.pause = "pass", 10, 0.001
        self.changed = threading.Condition()
        self.connections = set()  # sockets, of both sides
        self.accepted = 0
        self.held = 0  # pieces that wait for another mode than "stall"
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    uri = property(lambda self: "ldap://127.0.0.1:%d" % self.port)

    def set(self, mode, bytes=10, pause=0.001):
        with self.changed:
            self.mode, self.bytes, self.pause = mode, bytes, pause
            self.changed.notify_all()
        if mode == "reset":
            self.drop()

    def drop(self):
        """Those that stand are reset."""
        with self.changed:
            sockets, self.connections = self.connections, set()
        for s in sockets:
            reset(s)

    def close(self):
        self.set("reset")
        reset(self.listener)

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            self.accepted += 1
            try:
                server = socket.create_connection(self.target) if self.mode != "reset" else None
            except OSError:
                server = None
            if not server:
                reset(client)
                continue
            with self.changed:
                self.connections |= {client, server}
            threading.Thread(target=self.pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, True), daemon=True).start()

    def pump(self, source, sink, answers):
        try:
            while True:
                data = source.recv(65536)
                with self.changed:
                    self.held += 1
                    self.changed.wait_for(lambda: self.mode != "stall")
                    self.held -= 1
                    mode = self.mode
                if not data or not self.forward(data, sink, mode if answers else "pass"):
                    break
        except OSError:
            pass
        for s in (source, sink):
            reset(s)
        with self.changed:
            self.connections -= {source, sink}

    def forward(self, data, sink, mode):
        if mode == "cut":
            sink.sendall(data[:self.bytes])
            self.bytes -= len(data)
            return self.bytes > 0
        if mode == "garbage":
            data = bytes(b ^ 0xFF for b in data)
        if mode != "drip":
            sink.sendall(data)
            return True
        sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(data)):
            time.sleep(self.pause)
            sink.sendall(data[i:i + 1])
        return True


def reset(s):
    """Ends it at once, and wakes who waits for it."""
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    s.close()
