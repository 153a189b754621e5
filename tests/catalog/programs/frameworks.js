// One server of a framework from npm: frameworks.js NAME PORT [HOST]. Without HOST, what the framework does by itself.
const [name, portText, host] = process.argv.slice(2);
const port = Number(portText);
const at = host === undefined ? {port} : {port, host};
const words = host === undefined ? [port] : [port, host];

const servers = {
  express() {
    const app = require('express')();
    app.get('/', (request, response) => response.send('ok\n'));
    app.listen(...words);
  },
  koa() {
    const Koa = require('koa');
    const app = new (Koa.default ?? Koa)();
    app.use((context) => { context.body = 'ok\n'; });
    app.listen(...words);
  },
  fastify() {
    const app = require('fastify')();
    app.get('/', async () => 'ok\n');
    app.listen(at);
  },
  hapi() {
    const server = require('@hapi/hapi').server(at);
    server.route({method: 'GET', path: '/', handler: () => 'ok\n'});
    server.start();
  },
  hono() {
    const {Hono} = require('hono');
    const app = new Hono();
    app.get('/', (context) => context.text('ok\n'));
    require('@hono/node-server').serve({fetch: app.fetch, port, ...(host === undefined ? {} : {hostname: host})});
  },
  'socket.io'() {
    new (require('socket.io').Server)(port);
  },
  ws() {
    new (require('ws').WebSocketServer)(at);
  },
};
servers[name]();
