// chat.py for machines that speak HTTP/2: Node's http2 takes WebSockets as extended CONNECT (RFC 8441), Node's ws speaks on the
// streams. Agrees to nothing but that.
const http2 = require("http2");
const WebSocket = require("ws");

const server = http2.createServer({settings: {enableConnectProtocol: true}});
server.on("stream", (stream, headers) => {
  stream.on("error", () => {});
  if (headers[":protocol"] !== "websocket") {
    stream.respond({":status": 426});
    stream.end();
    return;
  }
  stream.respond({":status": 200});
  stream.setNoDelay = () => {};
  const socket = new WebSocket(null);
  socket.setSocket(stream, Buffer.alloc(0), {maxPayload: 0, skipUTF8Validation: false});
  socket.on("error", () => {});
  socket.on("message", (data, isBinary) => {
    const text = isBinary ? "" : data.toString();
    if (text.startsWith("leave ")) socket.close(Number(text.slice(6)), "as you wish");
    else socket.send(data, {binary: isBinary});
  });
});
server.listen(Number(process.argv[2]), "0.0.0.0");
