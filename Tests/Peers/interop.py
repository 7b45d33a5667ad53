"""gRPC's official interop test server and client, made of PyPI's grpcio:

    interop.py server PORT [CERTIFICATE KEY]   says `listening` when it does
    interop.py client PORT CASES [CA HOST]     `ok CASE` or `FAILED CASE: why` each; 1 if any failed

grpcio shows nobody which messages came compressed and lets clients compress whole calls only:
the server cannot pass client_compressed_*, the client has no client_compressed_streaming and
checks no flags in server_compressed_*.
"""

import os
import sys
import time
from concurrent import futures

import grpc

grpc.__path__.append(os.path.join(os.getcwd(), "grpc"))  # The generated grpc.testing.
from grpc.testing import empty_pb2, messages_pb2, test_pb2_grpc

INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"
METADATA = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))
REQUESTED = (27182, 8, 1828, 45904)
RESPONDED = (31415, 9, 2653, 58979)
TIMEOUT = 20


def contents(path):
    with open(path, "rb") as file:
        return file.read()


class Service(test_pb2_grpc.TestServiceServicer):
    def start(self, context):
        metadata = dict(context.invocation_metadata())
        if INITIAL in metadata:
            context.send_initial_metadata(((INITIAL, metadata[INITIAL]),))
        if TRAILING in metadata:
            context.set_trailing_metadata(((TRAILING, metadata[TRAILING]),))

    def echo(self, request, context):
        if request.HasField("response_status"):
            status = request.response_status
            code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
            context.abort(code, status.message)

    def EmptyCall(self, request, context):
        self.start(context)
        return empty_pb2.Empty()

    def UnaryCall(self, request, context):
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        self.start(context)
        self.echo(request, context)
        return messages_pb2.SimpleResponse(payload=payload(request.response_size))

    def answer(self, request, context):
        self.echo(request, context)
        for parameters in request.response_parameters:
            time.sleep(parameters.interval_us / 1e6)
            if not parameters.compressed.value:
                context.disable_next_message_compression()
            yield messages_pb2.StreamingOutputCallResponse(payload=payload(parameters.size))

    def StreamingOutputCall(self, request, context):
        context.set_compression(grpc.Compression.Gzip)
        self.start(context)
        yield from self.answer(request, context)

    def StreamingInputCall(self, requests, context):
        self.start(context)
        return messages_pb2.StreamingInputCallResponse(
            aggregated_payload_size=sum(len(request.payload.body) for request in requests))

    def FullDuplexCall(self, requests, context):
        self.start(context)
        for request in requests:
            yield from self.answer(request, context)

    def UnimplementedCall(self, request, context):
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "no server implements it")


def payload(size):
    return messages_pb2.Payload(body=bytes(size))


def serve(port, certificate=None, key=None):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    test_pb2_grpc.add_TestServiceServicer_to_server(Service(), server)
    address = f"127.0.0.1:{port}"
    if certificate:
        server.add_secure_port(address, grpc.ssl_server_credentials(
            [(contents(key), contents(certificate))]))
    else:
        server.add_insecure_port(address)
    server.start()
    print("listening", flush=True)
    server.wait_for_termination()


def large(**fields):
    return messages_pb2.SimpleRequest(response_size=314159, payload=payload(271828), **fields)


def duplex(size, count):
    parameters = [] if size is None else [messages_pb2.ResponseParameters(size=size)]
    return messages_pb2.StreamingOutputCallRequest(
        response_parameters=parameters, payload=payload(count))


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def check_payload(response, size):
    body = response.payload.body
    check(body == bytes(size), f"{len(body)} bytes instead of {size} zeros")


def fails(code, body, message=None):
    try:
        body()
    except grpc.RpcError as error:
        check(error.code() == code, f"{error.code()} instead of {code}")
        check(message is None or error.details() == message, repr(error.details()))
    else:
        check(False, f"OK instead of {code}")


class Client:
    def __init__(self, channel):
        self.stub = test_pb2_grpc.TestServiceStub(channel)
        self.nowhere = test_pb2_grpc.UnimplementedServiceStub(channel)

    def empty_unary(self):
        response = self.stub.EmptyCall(empty_pb2.Empty(), timeout=TIMEOUT)
        check(response.ByteSize() == 0, "the empty response has bytes")

    def large_unary(self):
        check_payload(self.stub.UnaryCall(large(), timeout=TIMEOUT), 314159)

    def client_streaming(self):
        requests = (messages_pb2.StreamingInputCallRequest(payload=payload(size))
                    for size in REQUESTED)
        response = self.stub.StreamingInputCall(requests, timeout=TIMEOUT)
        check(response.aggregated_payload_size == 74922, "the aggregated size")

    def server_streaming(self):
        request = messages_pb2.StreamingOutputCallRequest(
            response_parameters=[messages_pb2.ResponseParameters(size=size) for size in RESPONDED])
        responses = list(self.stub.StreamingOutputCall(request, timeout=TIMEOUT))
        check(len(responses) == 4, f"{len(responses)} responses")
        for response, size in zip(responses, RESPONDED):
            check_payload(response, size)

    def ping_pong(self):
        answered = []

        def requests():
            for index, count in enumerate(REQUESTED):
                while len(answered) < index:
                    time.sleep(0.001)
                yield duplex(RESPONDED[index], count)

        for response in self.stub.FullDuplexCall(requests(), timeout=TIMEOUT):
            check(len(answered) < 4, "a fifth response")
            check_payload(response, RESPONDED[len(answered)])
            answered.append(response)
        check(len(answered) == 4, f"{len(answered)} responses")

    def empty_stream(self):
        check(not list(self.stub.FullDuplexCall(iter(()), timeout=TIMEOUT)), "a response")

    def cancel_after_begin(self):
        def requests():
            time.sleep(0.5)
            yield from ()

        future = self.stub.StreamingInputCall.future(requests(), timeout=TIMEOUT)
        future.cancel()
        check(future.code() == grpc.StatusCode.CANCELLED, f"{future.code()}")

    def cancel_after_first_response(self):
        def requests():
            yield duplex(31415, 27182)
            time.sleep(1)

        call = self.stub.FullDuplexCall(requests(), timeout=TIMEOUT)
        check_payload(next(call), 31415)
        call.cancel()
        fails(grpc.StatusCode.CANCELLED, lambda: next(call))

    def timeout_on_sleeping_server(self):
        def requests():
            yield duplex(None, 27182)
            time.sleep(0.5)

        fails(grpc.StatusCode.DEADLINE_EXCEEDED,
              lambda: list(self.stub.FullDuplexCall(requests(), timeout=0.001)))

    def custom_metadata(self):
        response, unary = self.stub.UnaryCall.with_call(
            large(), metadata=METADATA, timeout=TIMEOUT)
        check_payload(response, 314159)
        stream = self.stub.FullDuplexCall(
            iter([duplex(314159, 271828)]), metadata=METADATA, timeout=TIMEOUT)
        responses = list(stream)
        check(len(responses) == 1, f"{len(responses)} responses")
        check_payload(responses[0], 314159)
        for call in (unary, stream):
            initial = dict(call.initial_metadata()).get(INITIAL)
            check(initial == "test_initial_metadata_value", f"initial metadata {initial}")
            trailing = dict(call.trailing_metadata()).get(TRAILING)
            check(trailing == b"\xab\xab\xab", f"trailing metadata {trailing}")

    def status_code_and_message(self):
        message = "test status message"
        status = messages_pb2.EchoStatus(code=2, message=message)
        self.unary_status(message)
        request = messages_pb2.StreamingOutputCallRequest(response_status=status)
        fails(grpc.StatusCode.UNKNOWN,
              lambda: list(self.stub.FullDuplexCall(iter([request]), timeout=TIMEOUT)), message)

    def special_status_message(self):
        self.unary_status("\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n")

    def unary_status(self, message):
        request = messages_pb2.SimpleRequest(
            response_status=messages_pb2.EchoStatus(code=2, message=message))
        fails(grpc.StatusCode.UNKNOWN,
              lambda: self.stub.UnaryCall(request, timeout=TIMEOUT), message)

    def unimplemented_method(self):
        fails(grpc.StatusCode.UNIMPLEMENTED,
              lambda: self.stub.UnimplementedCall(empty_pb2.Empty(), timeout=TIMEOUT))

    def unimplemented_service(self):
        fails(grpc.StatusCode.UNIMPLEMENTED,
              lambda: self.nowhere.UnimplementedCall(empty_pb2.Empty(), timeout=TIMEOUT))

    def client_compressed_unary(self):
        def call(compression, expected):
            return self.stub.UnaryCall(
                large(expect_compressed=messages_pb2.BoolValue(value=expected)),
                compression=compression, timeout=TIMEOUT)

        fails(grpc.StatusCode.INVALID_ARGUMENT, lambda: call(grpc.Compression.NoCompression, True))
        check_payload(call(grpc.Compression.Gzip, True), 314159)
        check_payload(call(grpc.Compression.NoCompression, False), 314159)

    def server_compressed_unary(self):
        for compress in (True, False):
            request = large(response_compressed=messages_pb2.BoolValue(value=compress))
            check_payload(self.stub.UnaryCall(request, timeout=TIMEOUT), 314159)

    def server_compressed_streaming(self):
        sizes = (31415, 92653)
        request = messages_pb2.StreamingOutputCallRequest(response_parameters=[
            messages_pb2.ResponseParameters(
                size=size, compressed=messages_pb2.BoolValue(value=size == 31415))
            for size in sizes])
        responses = list(self.stub.StreamingOutputCall(request, timeout=TIMEOUT))
        check(len(responses) == 2, f"{len(responses)} responses")
        for response, size in zip(responses, sizes):
            check_payload(response, size)


def call(port, names, ca=None, host=None):
    address = f"127.0.0.1:{port}"
    options = [("grpc.enable_http_proxy", 0)]
    if ca:
        channel = grpc.secure_channel(
            address, grpc.ssl_channel_credentials(contents(ca)),
            options + [("grpc.ssl_target_name_override", host)])
    else:
        channel = grpc.insecure_channel(address, options)
    client = Client(channel)
    good = True
    for name in names.split(","):
        try:
            getattr(client, name)()
            print("ok", name, flush=True)
        except Exception as error:
            print(f"FAILED {name}: {error}".replace("\n", " "), flush=True)
            good = False
    channel.close()
    return 0 if good else 1


if sys.argv[1] == "server":
    serve(*sys.argv[2:])
else:
    sys.exit(call(*sys.argv[2:]))
