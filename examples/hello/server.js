// Right: without a host Node listens on [::] for both families, so Fly Proxy (IPv4) and 6PN (IPv6) get through.
const http = require("node:http");

const server = http.createServer((request, response) => {
  response.setHeader("content-type", "text/plain");
  response.end(
    `Hello from machine ${process.env.FLY_MACHINE_ID} in ${process.env.FLY_REGION}\n` +
      `You are ${request.headers["fly-client-ip"]}, and came by ${request.socket.remoteAddress}\n`,
  );
});
server.listen(8080, () => console.log("listening on", server.address()));
process.on("SIGINT", () => server.close(() => process.exit(0)));
