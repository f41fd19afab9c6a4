"""Run a command in this network namespace with nothing but the loopback interface.

unshare --net python loopback_only.py COMMAND...
"""

import fcntl
import os
import socket
import struct
import sys

SIOCSIFFLAGS = 0x8914
UP = 0x1

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", UP))
os.execvp(sys.argv[1], sys.argv[1:])
