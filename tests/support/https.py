"""An HTTPS server for tests that answers as scripted, by the host it is asked for."""

import http.server
import ssl
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.respond(b"")

    def do_POST(self):
        self.respond(self.rfile.read(int(self.headers["Content-Length"])))

    def respond(self, body):
        host = self.headers["Host"].split(":")[0]
        script = self.server.scripted
        script.asked.append((self.command, host, self.path, dict(self.headers), body))
        answer = script.answers.get(host, 404)
        if callable(answer):
            try:
                answer(self)
            except OSError:
                pass  # the client had enough
            self.close_connection = True
            return
        status, text = (answer, "") if isinstance(answer, int) else (200, answer)
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=us-ascii")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 50

    def finish_request(self, request, client_address):
        try:
            request.do_handshake()
            super().finish_request(request, client_address)
        except OSError:
            pass


class HttpsServer:
    """answers: {"host": text, status, or function(handler)}; may be changed at any time."""

    def __init__(self, certificate, answers, address=("127.0.0.1", 0)):
        self.answers = answers
        self.asked = []
        self.released = threading.Event()
        self.server = Server(address, Handler)
        self.server.scripted = self
        self.server.socket = certificate.server_context().wrap_socket(
            self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def hang(self, handler):
        """Says nothing until the test is over."""
        self.released.wait(120)

    def trickle(self, handler):
        """A header byte by byte, for ever."""
        while not self.released.wait(0.05):
            handler.wfile.write(b"H")
            handler.wfile.flush()

    def flood(self, handler):
        """Megabytes."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        for _ in range(10000):
            handler.wfile.write(b"mx: a.example\n" * 1000)

    def redirect(self, handler):
        handler.send_response(301)
        handler.send_header("Location", "https://%s/elsewhere" % handler.headers["Host"])
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
