"""Says each line of its input in #lobby, prints what is said: client.py ADDRESS NICK SECRET"""

import json
import os
import select
import socket
import sys


def send(id: int, type: str, **fields: object) -> None:
    data = json.dumps({"type": type, "id": id, **fields}).encode()
    sock.sendall(len(data).to_bytes(4, "big") + data)


place, nick, secret = sys.argv[1].rpartition(":"), sys.argv[2], sys.argv[3]  # 32 hex digits
sock = socket.socket(socket.AF_INET if place[0] else socket.AF_UNIX)
sock.connect((place[0], int(place[2])) if place[0] else place[2])
send(1, "hello", versions=[1])
typed, sources = os.fdopen(0, "rb", buffering=0), [sock.fileno()]  # unbuffered, for select
while True:
    ready = select.select(sources, [], [], 20)[0]
    if not ready:
        send(5, "ping")
    elif sock.fileno() not in ready:
        text = typed.readline().decode() or sys.exit()
        send(4, "say", room=1, draft=os.urandom(16).hex(), text=text.strip())
        sources.remove(0)  # until it is answered: lines keep their order
    else:
        size = int.from_bytes(sock.recv(4, socket.MSG_WAITALL), "big")
        match json.loads(sock.recv(size, socket.MSG_WAITALL) or '{"type": "bye", "code": "lost"}'):
            case {"type": "ok", "id": 1}:
                send(2, "login", method="secret", nick=nick, secret=secret)
            case {"type": "ok", "id": 2}:
                send(3, "follow", room=1, last=20)
            case {"type": "ok", "id": 3 | 4}:
                sources.append(0)
            case {"kind": "message", "nick": author, "text": said}:
                print(f"{author}: {said}", flush=True)
            case {"type": "error" | "bye", "code": code}:
                sys.exit(code)
