// Asks the other app over 6PN, by its .internal name.
const http = require("node:http");

http
  .createServer(async (request, response) => {
    try {
      const answer = await fetch(process.env.API_URL);
      response.end(`the api says: ${await answer.text()}`);
    } catch (error) {
      response.statusCode = 502;
      response.end(`no answer from ${process.env.API_URL}: ${error.cause ?? error}\n`);
    }
  })
  .listen(8080);
