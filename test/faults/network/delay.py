"""Hands every packet that is routed into a TUN device back after a time: what netem does, where there is none."""

import fcntl, heapq, os, random, select, struct, sys, time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
name, delay_ms, jitter_ms = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])

device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
print("ready", flush=True)

# By direction, so that jitter does not put packets out of order.
last_due = {}
waiting = []
count = 0
while True:
    left = max(0, waiting[0][0] - time.monotonic()) if waiting else None
    readable, _, _ = select.select([device], [], [], left)
    if readable:
        packet = os.read(device, 65535)
        ends = packet[12:20]
        late = delay_ms + random.uniform(-jitter_ms, jitter_ms)
        due = max(last_due.get(ends, 0), time.monotonic() + late / 1000)
        last_due[ends] = due
        count += 1
        heapq.heappush(waiting, (due, count, packet))
    while waiting and waiting[0][0] <= time.monotonic():
        os.write(device, heapq.heappop(waiting)[2])
