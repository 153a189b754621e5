// Node.js: `node.mjs lookup ...` asks the C library, `node.mjs resolve ...` the c-ares in it. Arguments and output: ../test_dns_clients.py
import dns from "node:dns/promises";

const askers = {
  async lookup(kind, name) {
    const found = await dns.lookup(name, { all: true, family: kind === "any" ? 0 : Number(kind) });
    return found.map((one) => one.address).join(",");
  },
  async resolve(kind, name) {
    if (kind === "txt") return (await dns.resolveTxt(name))[0].join("");
    const found = await { any: () => dns.resolve(name), 6: () => dns.resolve6(name), 4: () => dns.resolve4(name) }[kind]();
    return found.join(",");
  },
};

// dns.lookup has one code for both.
const failures = { lookup: { ENOTFOUND: "none" }, resolve: { ENODATA: "nodata", ENOTFOUND: "nxdomain" } };

const [way, ...questions] = process.argv.slice(2);
for (let i = 0; i + 1 < questions.length; i += 2) {
  try {
    console.log(await askers[way](questions[i], questions[i + 1]));
  } catch (error) {
    console.log(failures[way][error.code] ?? `error ${error}`);
  }
}
