"""The client of the Cyrus SASL library, by ctypes, as a process: MECHANISM SERVICE HOST; challenges come as lines of base64,
responses go the same way. The first line out is the initial response ("-": none)."""

import base64
import ctypes
import sys

OK, CONTINUE = 0, 1


class SecurityProperties(ctypes.Structure):
    _fields_ = [("min_ssf", ctypes.c_uint), ("max_ssf", ctypes.c_uint), ("maxbufsize", ctypes.c_uint),
                ("security_flags", ctypes.c_uint), ("property_names", ctypes.c_void_p), ("property_values", ctypes.c_void_p)]


class Callback(ctypes.Structure):
    _fields_ = [("id", ctypes.c_ulong), ("proc", ctypes.c_void_p), ("context", ctypes.c_void_p)]


def main(mechanism, service, host, max_ssf="0"):
    sasl = ctypes.CDLL("libsasl2.so.2")
    answer = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_char_p),
                              ctypes.POINTER(ctypes.c_uint))

    def empty(context, number, result, length):
        result[0] = b""
        return OK
    callback = answer(empty)
    callbacks = (Callback * 2)(Callback(0x4001, ctypes.cast(callback, ctypes.c_void_p), None), Callback(0, None, None))
    assert sasl.sasl_client_init(callbacks) == OK
    connection = ctypes.c_void_p()
    assert sasl.sasl_client_new(service.encode(), host.encode(), None, None, callbacks, 0, ctypes.byref(connection)) == OK
    properties = SecurityProperties(0, int(max_ssf), 65536, 0, None, None)
    assert sasl.sasl_setprop(connection, 101, ctypes.byref(properties)) == OK
    out, n, chosen = ctypes.c_void_p(), ctypes.c_uint(), ctypes.c_char_p()
    result = sasl.sasl_client_start(connection, mechanism.encode(), None, ctypes.byref(out), ctypes.byref(n), ctypes.byref(chosen))
    assert result in (OK, CONTINUE), result
    print(base64.b64encode(ctypes.string_at(out, n.value)).decode() if out else "-", flush=True)
    for line in sys.stdin:
        challenge = base64.b64decode(line)
        out, n = ctypes.c_void_p(), ctypes.c_uint()
        result = sasl.sasl_client_step(connection, challenge, len(challenge), None, ctypes.byref(out), ctypes.byref(n))
        assert result in (OK, CONTINUE), result
        print(base64.b64encode(ctypes.string_at(out, n.value)).decode() if out else "", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
