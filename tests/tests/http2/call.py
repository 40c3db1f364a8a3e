"""A gRPC server and a gRPC client, as gRPC's own library makes them, for bytes as they are.

call.py serve             prints its address and serves until its input ends
call.py call ADDRESS METHOD SECONDS MESSAGE...   prints how one call went, as JSON
"""

import json
import sys
import time
from concurrent import futures

import grpc


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        name = details.method.rsplit("/", 1)[-1]
        if name == "Many":
            return grpc.stream_stream_rpc_method_handler(lambda messages, call: messages)
        return grpc.unary_unary_rpc_method_handler(getattr(self, name.lower()))

    def one(self, message, call):
        call.set_trailing_metadata((("tail", "yes"),))
        return message

    def slow(self, message, call):
        time.sleep(float(message))
        return message

    def fail(self, message, call):
        call.abort(grpc.StatusCode.FAILED_PRECONDITION, message.decode())


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(16), handlers=(Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"127.0.0.1:{port}", flush=True)
    sys.stdin.read()
    server.stop(None)


def call(address, method, seconds, *messages):
    channel = grpc.insecure_channel(address, options=(("grpc.enable_retries", 0),))
    messages = [message.encode() for message in messages]
    try:
        if method == "Many":
            answer = channel.stream_stream("/echo.Echo/Many")(iter(messages), timeout=float(seconds))
            bodies = list(answer)
        else:
            body, answer = channel.unary_unary(f"/echo.Echo/{method}").with_call(
                messages[0], timeout=float(seconds)
            )
            bodies = [body]
    except grpc.RpcError as error:
        answer, bodies = error, []
    print(
        json.dumps(
            {
                "code": answer.code().name,
                "details": answer.details(),
                "bodies": [body.decode() for body in bodies],
                "trailers": dict(answer.trailing_metadata() or ()),
            }
        )
    )


if sys.argv[1] == "serve":
    serve()
else:
    call(*sys.argv[2:])
