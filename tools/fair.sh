# Sourced by what runs pytest: `fair` is the prefix of its command.
# As root, libwebrtc (in the livekit SDK) and Chromium give threads of theirs real-time priority; on two cores those starve
# everybody, even the kernel's own work, and the machine stands still for minutes. Without the capability they cannot.
fair=()
if [ "$(id -u)" = 0 ]; then
    fair=(setpriv --inh-caps=-sys_nice --bounding-set=-sys_nice)
fi
