// An HTTP server on what server.listen() makes of the options given as JSON, or given as "PORT" and perhaps "HOST".
const [first, host] = process.argv.slice(2);
const options = first.startsWith('{') ? JSON.parse(first) : {port: Number(first), ...(host === undefined ? {} : {host})};
const server = require('node:http').createServer((request, response) => response.end('ok\n'));
server.listen(options, () => console.log('listening on', server.address()));
