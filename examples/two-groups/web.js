const http = require("node:http");

http
  .createServer((request, response) => response.end(`web machine in ${process.env.FLY_REGION}\n`))
  .listen(8080, "::");
