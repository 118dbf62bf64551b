"""GB/T 28181 as upper platform: devices and lower platforms call in, tell what they have, and are asked for pictures.

``codes``, ``charset``, ``xml``, ``manscdp``, ``ptz``, ``catalogue``, ``notices``, ``positions`` read and write; ``registrar``,
``asking``, ``commands``, ``subscriptions`` and above them ``platform`` are the state machines: no I/O, no clock. ``calls`` has
the dialogs with media in them, ``server`` the sockets and the link to the hub.
"""
