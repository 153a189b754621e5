// Asks the other app over 6PN, by its .internal name.
const http = require("node:http");
const { setTimeout: sleep } = require("node:timers/promises");

// Both apps start at the same time, so the other one may not listen yet.
async function ask(attempts = 10) {
  try {
    return await fetch(process.env.API_URL);
  } catch (error) {
    if (attempts === 1) throw error;
    await sleep(200);
    return ask(attempts - 1);
  }
}

http
  .createServer(async (request, response) => {
    try {
      const answer = await ask();
      response.end(`the api says: ${await answer.text()}`);
    } catch (error) {
      response.statusCode = 502;
      response.end(`no answer from ${process.env.API_URL}: ${error.cause ?? error}\n`);
    }
  })
  .listen(8080);
