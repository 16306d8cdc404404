"""A service that charges orders, in the place of yours: 422 for what it does not take, 200 for the rest, which it keeps in a file.

    python3 charges.py PORT FILE     0 is any port; it is printed once the service listens
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Charges(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        order = json.loads(body)
        taken = order["total"] > 0
        if taken:
            with open(sys.argv[2], "ab") as file:
                file.write(body + b"\n")
        self.send_response(200 if taken else 422)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Charges)
print(server.server_port, flush=True)
server.serve_forever()
