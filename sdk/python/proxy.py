"""A proxy before a real server, for tests: it can break connections, and go away and come back."""
import contextlib
import socket
import threading

PIECE = 700  # bytes that it passes on at once, so that a break comes in the middle of a line


class Proxy:
    """Passes bytes on from a port of its own, which it keeps, to another one."""

    def __init__(self, target):
        self.target, self.port = target, 0
        self._lock, self._open, self._threads = threading.Lock(), set(), []
        self.start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def start(self):
        """Listens again."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._run(self._accept, self._listener)

    def stop(self):
        """Listens no more, and breaks all connections. It returns when nothing of them is left."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        while self._threads:
            self.disconnect()
            self._threads[0].join(0.01)
            self._threads = [one for one in self._threads if one.is_alive()]

    def disconnect(self):
        """Breaks all connections."""
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _run(self, function, *args):
        thread = threading.Thread(target=function, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self._run(self._connect, client)

    def _connect(self, client):
        with client, contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", self.target)) as server:
                with self._lock:
                    self._open |= {client, server}
                try:
                    self._run(self._pass_on, client, server)
                    self._pass_on(server, client)
                finally:
                    with self._lock:
                        self._open -= {client, server}

    @staticmethod
    def _pass_on(source, sink):
        """Passes on what comes, and breaks both connections when no more does."""
        with contextlib.suppress(OSError):
            piece = source.recv(PIECE)
            while piece:
                sink.sendall(piece)
                piece = source.recv(PIECE)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
