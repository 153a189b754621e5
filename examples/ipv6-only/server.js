const http = require("node:http");

const server = http.createServer((request, response) => response.end("only over IPv6\n"));
server.listen({ port: 8080, host: "::", ipv6Only: true }, () => console.log("listening on", server.address()));
