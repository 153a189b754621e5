"""One server of Python's standard library or of a framework: serve.py NAME PORT [HOST]. Without HOST, its own default."""
import asyncio
import http.server
import socket
import sys

from wsgi import app

NAME, PORT = sys.argv[1], int(sys.argv[2])
HOST = sys.argv[3] if len(sys.argv) > 3 else None
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


def httpserver():
    http.server.HTTPServer((HOST, PORT), http.server.SimpleHTTPRequestHandler).serve_forever()


def start_server():
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        writer.close()

    async def serve():
        async with await asyncio.start_server(answer, HOST, PORT) as server:
            await server.serve_forever()
    asyncio.run(serve())


def v6only():
    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((HOST, PORT))
    listener.listen()
    while True:
        with listener.accept()[0] as client:
            client.recv(65536)
            client.sendall(OK)


def aiohttp():
    from aiohttp import web

    async def answer(_):
        return web.Response(text="ok\n")
    application = web.Application()
    application.router.add_get("/", answer)
    web.run_app(application, host=HOST, port=PORT)


def tornado():
    from tornado import ioloop, web

    class Answer(web.RequestHandler):
        def get(self):
            self.write("ok\n")
    web.Application([("/", Answer)]).listen(PORT, *([] if HOST is None else [HOST]))
    ioloop.IOLoop.current().start()


def waitress():
    import waitress
    waitress.serve(app, port=PORT, **({} if HOST is None else {"host": HOST}))


def bottle():
    import bottle

    class Server(bottle.WSGIRefServer):
        quiet = True
    bottle.run(bottle.Bottle(), server=Server, port=PORT, **({} if HOST is None else {"host": HOST}))


def cherrypy():
    import cherrypy

    class Root:
        @cherrypy.expose
        def index(self):
            return "ok\n"
    cherrypy.config.update({"server.socket_port": PORT, "engine.autoreload.on": False})
    if HOST is not None:
        cherrypy.config.update({"server.socket_host": HOST})
    cherrypy.quickstart(Root())


def grpc():
    from concurrent import futures

    import grpc
    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_insecure_port(f"{HOST}:{PORT}")
    server.start()
    server.wait_for_termination()


def udp_only():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((HOST, PORT))
        while True:
            receiver.sendto(*receiver.recvfrom(65536))


globals()[NAME]()
