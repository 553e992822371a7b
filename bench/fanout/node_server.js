// The same work on Node's socket.io. Prints its port and its control port, whose /start?n=&rate=&burst= begins.
const http = require("http"), { Server } = require("socket.io"), crypto = require("crypto");

const web = http.createServer();
const io = new Server(web, {
  perMessageDeflate: false, httpCompression: false, serveClient: false, transports: ["websocket", "polling"],
});
io.on("connection", (socket) => {
  socket.on("join", (data, ack) => { socket.join(data.room); ack(1); });
  socket.on("echo", (data, ack) => ack(data));
});

const micros = () => Number(process.hrtime.bigint() / 1000n);

// n entries, `burst` of them in one turn of the loop; at a rate per second, or turn after turn when it is 0
function produce({ n, rate, burst }) {
  const chat_id = crypto.randomUUID(), began = micros();
  let sent = 0;
  const turn = (t) => {
    for (let i = 0; i < burst && sent < n; i++, sent++)
      io.to("r").emit("tok", { chat_id, content_type: "delta", content: " word", t });
  };
  const step = () => {
    if (sent >= n) return io.to("r").emit("done", { n: sent });
    const now = micros(), due = rate ? began + (sent * 1e6) / rate : now;
    if (due > now) return setTimeout(step, Math.ceil((due - now) / 1000));
    turn(Math.round(now - due > 2000 ? due : now)); // who is late does not hide it
    setImmediate(step);
  };
  step();
}

const control = http.createServer((request, response) => {
  const given = new URL(request.url, "http://control").searchParams;
  response.end("ok");
  produce({ n: +given.get("n"), rate: +(given.get("rate") || 0), burst: +(given.get("burst") || 1) });
});
web.listen(0, "127.0.0.1", 4096, () =>
  control.listen(0, "127.0.0.1", () => console.log(web.address().port, control.address().port)));
