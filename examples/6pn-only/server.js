const http = require("node:http");

const server = http.createServer((request, response) => response.end("only over 6PN\n"));
server.listen(8080, "fly-local-6pn", () => console.log("listening on", server.address()));
