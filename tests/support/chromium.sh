#!/bin/sh
# Chromium, which as root gives its own threads real-time and negative priorities. On two cores such a thread, ending while others
# look into /proc, has been seen to spin in the kernel (shrink_dcache_parent) for minutes, because whom it waited for got no time:
# so it runs without the capability to raise itself.
chromium=${CHROMIUM:-/usr/bin/chromium}
if [ -n "${CHROMIUM_NETNS:-}" ]; then
    exec ip netns exec "$CHROMIUM_NETNS" setpriv --inh-caps=-sys_nice --bounding-set=-sys_nice "$chromium" "$@"
fi
if [ "$(id -u)" = 0 ]; then
    exec setpriv --inh-caps=-sys_nice --bounding-set=-sys_nice "$chromium" "$@"
fi
exec "$chromium" "$@"
