"""SIP (RFC 3261) for everybody who speaks it: cameras' GB/T 28181 and telephony. Knows neither of them.

``fields`` and ``message`` are the codec, ``stream`` cuts TCP into messages, ``digest`` is the password, ``transaction`` and
``dialog`` the
state machines: none of these does I/O or reads a clock. ``sources`` is who may send how much and where whom is found;
``transport`` has the sockets.
"""
