// Sends every datagram back: udp.js udp4|udp6 PORT [ADDRESS].
const [family, port, address] = process.argv.slice(2);
const socket = require('node:dgram').createSocket(family);
socket.on('message', (message, from) => socket.send(message, from.port, from.address));
socket.bind(Number(port), address);
