// Node's ws. Arguments and output: ../test_real_peers.py
const WebSocket = require("ws");

const large = Buffer.alloc(256 * 8192, Buffer.from(Array.from({length: 256}, (_, i) => i)));
const socket = new WebSocket(process.argv[2]);
let answers = 0;
socket.on("open", () => socket.send("hello"));
socket.on("message", (data) => {
  if (++answers === 1) {
    console.log(data.toString());
    socket.send(large);
  } else {
    console.log(data.equals(large) ? large.length : "not the same");
    socket.ping();
  }
});
socket.on("pong", () => socket.send("leave 4001"));
socket.on("close", (code, reason) => console.log(`${code} ${reason}`));
socket.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
