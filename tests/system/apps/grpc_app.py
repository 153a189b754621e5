"""A gRPC server without protocol buffers: messages are bytes. Needs python3-grpcio; its argument is the port."""
import sys
import threading
from concurrent import futures

import grpc


def unary(request, context):
    if request == b"fail":
        context.set_trailing_metadata((("x-why", "told to"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as told")
    metadata = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-first", "1"),))
    context.set_trailing_metadata((("x-region", metadata.get("fly-region", "none")),))
    return b"<" + request + b">"


def count_down(request, context):
    for number in range(int(request), 0, -1):
        yield b"%d" % number


def total(requests, context):
    return b"%d" % sum(len(request) for request in requests)


def talk(requests, context):
    for request in requests:
        yield b"<" + request + b">"


METHODS = {
    "/test.Shapes/Unary": grpc.unary_unary_rpc_method_handler(unary),
    "/test.Shapes/CountDown": grpc.unary_stream_rpc_method_handler(count_down),
    "/test.Shapes/Total": grpc.stream_unary_rpc_method_handler(total),
    "/test.Shapes/Talk": grpc.stream_stream_rpc_method_handler(talk),
}


class Shapes(grpc.GenericRpcHandler):
    def service(self, details):
        return METHODS.get(details.method)


server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
server.add_generic_rpc_handlers((Shapes(),))
server.add_insecure_port(f"0.0.0.0:{sys.argv[1]}")
server.start()
threading.Event().wait()
