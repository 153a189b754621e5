#include "flylocal/launch/launch_plan.hpp"

#include <catch2/catch.hpp>

#include "flylocal/launch/dockerfile.hpp"
#include "tests/unit/launch/fake_host.hpp"

using namespace flylocal::launch;

namespace {

using Words = std::vector<std::string>;

/// A host with node, python and a shell, and a project with a server in it.
FakeHost host_with_project() {
  FakeHost host;
  host.program("/usr/bin/node").program("/usr/bin/python3").program("/bin/sh").program("/usr/bin/npm");
  host.file("/proj/server.js").program("/proj/bin/start").file("/proj/bin/plain").user("www-data");
  return host;
}

LaunchInputs inputs(const std::string& dockerfile = "") {
  LaunchInputs in;
  in.group = "web";
  in.project_directory = "/proj";
  in.host_path = "/usr/local/bin:/usr/bin:/bin";
  if (!dockerfile.empty()) {
    DockerfileReading reading = read_dockerfile(dockerfile);
    INFO(render(reading.problems));
    REQUIRE(reading.image.has_value());
    in.image = std::move(reading.image);
  }
  return in;
}

LaunchPlan plan(const LaunchInputs& in, const HostFiles& host = host_with_project()) {
  const auto result = plan_launch(in, host);
  INFO((result.has_error() ? result.error().message : ""));
  REQUIRE(result.has_value());
  return *result;
}

std::string failure(const LaunchInputs& in, const HostFiles& host = host_with_project()) {
  const auto result = plan_launch(in, host);
  REQUIRE(result.has_error());
  return result.error().message;
}

std::string notes(const LaunchPlan& plan) {
  std::string text;
  for (const std::string& note : plan.notes) text += note + "\n";
  return text;
}

std::string env_of(const LaunchPlan& plan, std::string_view name) {
  for (const ImageVariable& each : plan.env) {
    if (each.name == name) return each.value;
  }
  return "(not set)";
}

}  // namespace

TEST_CASE("the order of the places that say what to run") {
  const std::string kDockerfile =
      "FROM node:20\nWORKDIR /app\nCOPY . .\nENTRYPOINT [\"node\"]\nCMD [\"server.js\"]\n";
  struct Case {
    std::string name;
    std::string dockerfile;
    std::optional<std::string> process;
    Words exec, entrypoint, cmd;
    std::optional<std::string> option;
    Words command_override;
    Words argv;
    std::string source;
  };
  const Case cases[] = {
      {"Dockerfile",
       kDockerfile,
       {},
       {},
       {},
       {},
       {},
       {},
       {"node", "server.js"},
       "Dockerfile line 4: ENTRYPOINT + Dockerfile line 5: CMD"},
      {"a process command replaces CMD only",
       kDockerfile,
       "a 'b c'",
       {},
       {},
       {},
       {},
       {},
       {"node", "a", "b c"},
       "Dockerfile line 4: ENTRYPOINT + fly.toml [processes] web"},
      {"experimental cmd replaces CMD only",
       kDockerfile,
       {},
       {},
       {},
       {"x"},
       {},
       {},
       {"node", "x"},
       "Dockerfile line 4: ENTRYPOINT + fly.toml [experimental] cmd"},
      {"a process command goes before experimental cmd",
       kDockerfile,
       "p",
       {},
       {},
       {"x"},
       {},
       {},
       {"node", "p"},
       "Dockerfile line 4: ENTRYPOINT + fly.toml [processes] web"},
      {"experimental entrypoint replaces ENTRYPOINT only",
       kDockerfile,
       {},
       {},
       {"python3"},
       {},
       {},
       {},
       {"python3", "server.js"},
       "fly.toml [experimental] entrypoint + Dockerfile line 5: CMD"},
      {"entrypoint and process",
       kDockerfile,
       "p",
       {},
       {"python3"},
       {"x"},
       {},
       {},
       {"python3", "p"},
       "fly.toml [experimental] entrypoint + fly.toml [processes] web"},
      {"exec wins entirely",
       kDockerfile,
       "p",
       {"npm", "start"},
       {"python3"},
       {"x"},
       {},
       {},
       {"npm", "start"},
       "fly.toml [experimental] exec"},
      {"--cmd goes before the Dockerfile",
       kDockerfile,
       {},
       {},
       {},
       {},
       "npm 'run x'",
       {},
       {"npm", "run x"},
       "--cmd"},
      {"--cmd comes after fly.toml",
       "",
       "node a",
       {},
       {},
       {},
       "npm start",
       {},
       {"node", "a"},
       "fly.toml [processes] web"},
      {"[commands] goes before everything",
       kDockerfile,
       "p",
       {"npm"},
       {"x"},
       {"x"},
       "y",
       {"python3", "-m", "x"},
       {"python3", "-m", "x"},
       "flylocal.toml line 3: [commands] web"},
      {"an empty process command is none",
       kDockerfile,
       "",
       {},
       {},
       {},
       {},
       {},
       {"node", "server.js"},
       "Dockerfile line 4: ENTRYPOINT + Dockerfile line 5: CMD"},
      {"no Dockerfile",
       "",
       "node server.js",
       {},
       {},
       {},
       {},
       {},
       {"node", "server.js"},
       "fly.toml [processes] web"},
      {"only --cmd", "", {}, {}, {}, {}, "node server.js", {}, {"node", "server.js"}, "--cmd"},
  };
  for (const Case& each : cases) {
    INFO(each.name);
    LaunchInputs in = inputs(each.dockerfile);
    in.process_command = each.process;
    in.experimental_exec = each.exec;
    in.experimental_entrypoint = each.entrypoint;
    in.experimental_cmd = each.cmd;
    in.command_option = each.option;
    if (!each.command_override.empty()) {
      in.command_override = LocalCommand{each.command_override, "flylocal.toml line 3: [commands] web"};
    }
    const LaunchPlan result = plan(in);
    CHECK(result.argv == each.argv);
    CHECK(result.source == each.source);
    CHECK(result.program == "/usr/bin/" + each.argv[0]);
    CHECK(result.working_directory == "/proj");
  }
}

TEST_CASE("what was said and is not used is noted") {
  LaunchInputs in = inputs();
  in.process_command = "node a";
  in.command_option = "npm start";
  CHECK_THAT(notes(plan(in)), Catch::Contains("--cmd is not used for process group web"));
  in.experimental_exec = {"npm"};
  CHECK_THAT(notes(plan(in)),
             Catch::Contains("fly.toml [processes] web is not used, because [experimental] exec wins"));
  LaunchInputs shell = inputs("FROM scratch\nENTRYPOINT node server.js\n");
  shell.process_command = "worker";
  CHECK_THAT(notes(plan(shell)),
             Catch::Contains("Dockerfile line 2: ENTRYPOINT is in shell form, so the shell ignores "
                             "the words of fly.toml [processes] web"));
}

TEST_CASE("where nothing says what to run, the three ways to say it are shown") {
  struct Case {
    std::string dockerfile, image, reason;
  };
  const Case cases[] = {
      {"", "", "there is no Dockerfile either"},
      {"", "nginx:1", "fly.toml [build] names the image nginx:1, whose own command is not known here"},
      {"FROM nginx:alpine\nCOPY . /usr/share/nginx/html\n", "",
       "Dockerfile has neither ENTRYPOINT nor CMD, and those of its base image nginx:alpine (line 1) are not "
       "known here"},
      {"FROM scratch\nCMD []\n", "", "Dockerfile has neither ENTRYPOINT nor CMD."},
  };
  for (const Case& each : cases) {
    INFO(each.reason);
    LaunchInputs in = inputs(each.dockerfile);
    in.image_reference = each.image;
    const std::string message = failure(in);
    CHECK_THAT(message, Catch::StartsWith("nothing says what the process group web runs"));
    CHECK_THAT(message, Catch::Contains(each.reason));
    CHECK_THAT(message, Catch::Contains("web = \"node server.js\""));
    CHECK_THAT(message, Catch::Contains("CMD [\"node\", \"server.js\"]"));
    CHECK_THAT(message, Catch::Contains("flylocal up --cmd \"node server.js\""));
  }
}

TEST_CASE("a command line that cannot be split names its place") {
  LaunchInputs in = inputs();
  in.process_command = "sh -c 'x";
  CHECK(failure(in) == "fly.toml [processes] web: single quote at column 7 is not closed: sh -c 'x");
  in = inputs();
  in.command_option = "a \"";
  CHECK(failure(in) == "--cmd: double quote at column 3 is not closed: a \"");
  in.command_option = " # nothing";
  CHECK_THAT(failure(in), Catch::Contains("--cmd is empty"));
}

TEST_CASE("the program is found on the host, or the error says where it would have come from") {
  const std::string kApp = "FROM a AS build\nCOPY . /src\nRUN make\nFROM b\nWORKDIR /app\nCOPY . .\n";
  struct Case {
    std::string lines, program, argv0;
  };
  const Case found[] = {
      {"CMD [\"node\", \"x\"]", "/usr/bin/node", "node"},
      {"CMD [\"/app/bin/start\"]", "/proj/bin/start", "/proj/bin/start"},
      {"CMD [\"./bin/start\"]", "/proj/bin/start", "./bin/start"},
      {"CMD [\"bin/start\"]", "/proj/bin/start", "bin/start"},
      {"CMD [\"/usr/bin/node\"]", "/usr/bin/node", "/usr/bin/node"},
      {"CMD node x", "/bin/sh", "/bin/sh"},
      {"COPY --from=build /src/bin/start /usr/local/bin/serve\nCMD [\"serve\"]", "/proj/bin/start", "serve"},
      {"COPY --from=build /src/bin/start /usr/local/bin/\nCMD [\"start\"]", "/proj/bin/start", "start"},
      {"COPY --from=build /src/bin/start ./run\nCMD [\"./run\"]", "/proj/bin/start", "/proj/bin/start"},
      {"ENV PATH=/app/bin:$PATH\nCMD [\"start\"]", "/proj/bin/start", "start"},
  };
  for (const Case& each : found) {
    INFO(each.lines);
    const LaunchPlan result = plan(inputs(kApp + each.lines + "\n"));
    CHECK(result.program == each.program);
    CHECK(result.argv[0] == each.argv0);
  }
  struct Wrong {
    std::string lines;
    Words messages;
  };
  const Wrong wrong[] = {
      {"CMD [\"gunicorn\", \"app:app\"]",
       {"Dockerfile line 7: CMD: gunicorn: not found in PATH (/usr/local/bin:/usr/bin:/bin)",
        "install it on this host", "[commands] web = \"...\" in flylocal.toml, or --cmd \"...\""}},
      {"COPY --from=build /out/app /usr/local/bin/\nCMD [\"app\"]",
       {"app: not found in PATH", "Dockerfile line 7 (COPY --from=build /out/app /usr/local/bin/)",
        "nothing is built here"}},
      {"CMD [\"/app/bin/absent\"]", {"/app/bin/absent is not on this host", "Dockerfile line 6 (COPY . .)"}},
      {"CMD [\"./absent\"]", {"./absent is not in /proj", "Dockerfile line 6 (COPY . .)"}},
      {"CMD [\"/opt/node/bin/node\"]",
       {"/opt/node/bin/node is not on this host. This host has node at /usr/bin/node"}},
      {"CMD [\"/opt/x\"]", {"/opt/x is not on this host", "base image or from a RUN line"}},
      {"CMD [\"bin/plain\"]", {"/proj/bin/plain is not executable; run chmod +x /proj/bin/plain"}},
      {"CMD [\"/app/bin\"]", {"/proj/bin is a directory"}},
      {"COPY <<EOF /run.sh\nx\nEOF\nCMD [\"/run.sh\"]", {"written by the heredoc of Dockerfile line 7"}},
      {"COPY --from=nginx:1 /x /x\nCMD [\"/x\"]",
       {"Dockerfile line 7 (COPY --from=nginx:1 /x /x)", "no image is pulled"}},
      {"ADD https://h/x /x\nCMD [\"/x\"]", {"downloaded by Dockerfile line 7 (ADD https://h/x /x)"}},
      {"CMD [\"\"]", {"the program's name is empty"}},
  };
  for (const Wrong& each : wrong) {
    INFO(each.lines);
    const std::string message = failure(inputs(kApp + each.lines + "\n"));
    for (const std::string& part : each.messages) CHECK_THAT(message, Catch::Contains(part));
  }
}

TEST_CASE("a process command is checked like the rest, and --cmd is not offered where it would lose") {
  LaunchInputs in = inputs();
  in.process_command = "gunicorn app";
  const std::string message = failure(in);
  CHECK(message ==
        "fly.toml [processes] web: gunicorn: not found in PATH (/usr/local/bin:/usr/bin:/bin). Or say what "
        "to run here: "
        "[commands] web = \"...\" in flylocal.toml.");
}

TEST_CASE("shell syntax in a line that no shell reads is said") {
  for (const std::string line : {"cd app && node x", "exec node x", "PORT=80 node x"}) {
    INFO(line);
    LaunchInputs in = inputs();
    in.process_command = line;
    CHECK_THAT(failure(in), Catch::Contains("write sh -c '...'"));
  }
  struct Case {
    std::string line;
    bool noted;
  };
  for (const Case& each :
       {Case{"node a && node b", true}, Case{"node --port $PORT", true}, Case{"node a.js > log", true},
        Case{"sh -c 'node $X && y'", false}, Case{"node a.js --x=1", false}}) {
    INFO(each.line);
    LaunchInputs in = inputs();
    in.process_command = each.line;
    CHECK((notes(plan(in)).find("no shell reads this line") != std::string::npos) == each.noted);
  }
}

TEST_CASE("arguments that are paths of the image become the host's") {
  const std::string kApp =
      "FROM a AS build\nCOPY . /src\nFROM b\nWORKDIR /app\nCOPY . .\nCOPY --from=build /src/dist ./dist\n";
  struct Case {
    std::string cmd;
    Words argv;
  };
  const Case cases[] = {
      {R"(CMD ["node", "/app/server.js"])", {"node", "/proj/server.js"}},
      {R"(CMD ["node", "server.js", "/app"])", {"node", "server.js", "/proj"}},
      {R"(CMD ["node", "--require=/app/server.js", "--x=/nowhere", "x"])",
       {"node", "--require=/proj/server.js", "--x=/nowhere", "x"}},
      {R"(CMD ["node", "/etc/hostname", "/", "-", "--", "start"])",
       {"node", "/etc/hostname", "/", "-", "--", "start"}},
      {R"(CMD ["node", "--pid", "/app/bin/server.pid"])", {"node", "--pid", "/proj/bin/server.pid"}},
      {R"(CMD ["node", "http://x/app/y", "10.0.0.0/8", "a/b"])",
       {"node", "http://x/app/y", "10.0.0.0/8", "a/b"}},
      {R"(CMD exec node "/app/server.js" --x=/app/bin > /app/new.log; cat /appendix $A/app http://h/app)",
       {"/bin/sh", "-c",
        R"(exec node "/proj/server.js" --x=/proj/bin > /app/new.log; cat /appendix $A/app http://h/app)"}},
  };
  for (const Case& each : cases) {
    INFO(each.cmd);
    CHECK(plan(inputs(kApp + each.cmd + "\n")).argv == each.argv);
  }
  CHECK_THAT(
      notes(plan(inputs(kApp + R"(CMD ["node", "/app/server.js"])"))),
      Catch::Contains(
          "Dockerfile line 7: CMD: /app/server.js is /proj/server.js here, by Dockerfile line 5 (COPY . .)"));
  const std::string moved =
      "FROM b\nWORKDIR /app\nCOPY package.json ./\nCOPY bin/start main.js ./\nCMD [\"node\", \"start\", "
      "\"./start\"]\n";
  CHECK(plan(inputs(moved)).argv == Words{"node", "start", "/proj/bin/start"});
}

TEST_CASE("an argument that the Dockerfile copies and the host lacks is an error") {
  const std::string kApp =
      "FROM a AS build\nCOPY . /src\nFROM b\nWORKDIR /app\nCOPY . .\nCOPY --from=build /src/dist ./dist\n";
  struct Case {
    std::string cmd;
    Words messages;
  };
  const Case cases[] = {
      {R"(CMD ["node", "dist/main.js"])",
       {"Dockerfile line 7: CMD: dist/main.js is not on this host",
        "Dockerfile line 6 (COPY --from=build /src/dist ./dist), out of a build stage",
        "build it in the project directory", "[commands] web"}},
      {R"(CMD ["node", "/app/main.conf"])",
       {"/app/main.conf is not on this host", "Dockerfile line 5 (COPY . .)"}},
  };
  for (const Case& each : cases) {
    INFO(each.cmd);
    const std::string message = failure(inputs(kApp + each.cmd + "\n"));
    for (const std::string& part : each.messages) CHECK_THAT(message, Catch::Contains(part));
  }
}

TEST_CASE("a local command is taken as it is written, in the project directory") {
  LaunchInputs in =
      inputs("FROM node:20\nENV NODE_ENV=production\nWORKDIR /app/bin\nCOPY . /app\nCMD [\"x\"]\n");
  in.command_option = "node /app/server.js";
  const LaunchPlan result = plan(in);
  CHECK(result.argv == Words{"node", "/app/server.js"});
  CHECK(result.working_directory == "/proj");
  CHECK(env_of(result, "NODE_ENV") == "production");
  CHECK(result.notes.empty());
}

TEST_CASE("the working directory follows WORKDIR") {
  FakeHost host = host_with_project();
  host.directory("/srv/data").file("/proj/web/index.js");
  struct Case {
    std::string lines, directory, note;
  };
  const Case cases[] = {
      {"WORKDIR /app\nCOPY . .\n", "/proj", ""},
      {"WORKDIR /app\nCOPY web/ .\n", "/proj/web",
       "WORKDIR /app is /proj/web here, by Dockerfile line 3 (COPY web/ .)"},
      {"WORKDIR /app\nCOPY package.json ./\n", "", ""},
      {"WORKDIR /app\nCOPY server.js ./\n", "/proj", "WORKDIR /app is /proj here"},
      {"WORKDIR /srv/data\n", "/srv/data",
       "is the host's /srv/data, because the Dockerfile copies nothing into it"},
      {"WORKDIR /nowhere\n", "/proj", "WORKDIR /nowhere has no counterpart on this host"},
      {"COPY . .\n", "/proj", ""},
      {"COPY web/ .\n", "/proj/web", "has no WORKDIR"},
      {"", "/proj", ""},
  };
  for (const Case& each : cases) {
    INFO(each.lines);
    const LaunchPlan result = plan(inputs("FROM scratch\n" + each.lines + "CMD [\"node\"]\n"), host);
    if (!each.directory.empty()) CHECK(result.working_directory == each.directory);
    if (!each.note.empty()) CHECK_THAT(notes(result), Catch::Contains(each.note));
    if (!each.directory.empty() && each.note.empty()) CHECK(result.notes.empty());
  }
}

TEST_CASE("the image's ENV is the lowest layer, and its PATH does not hide the host's programs") {
  FakeHost host = host_with_project();
  host.directory("/opt/tools/bin").directory("/proj/node_modules/.bin");
  LaunchInputs in = inputs(
      "FROM node:20\nENV PATH=/app/node_modules/.bin:/opt/venv/bin:/opt/tools/bin:$PATH PYTHONPATH=/app "
      "PORT=8080\n"
      "ENV BUNDLE_PATH=/usr/local/bundle DB=/data/db\nCOPY . /app\nCMD [\"node\"]\n");
  in.mounts = {"/data"};
  const LaunchPlan result = plan(in, host);
  CHECK(env_of(result, "PATH") == "/proj/node_modules/.bin:/opt/tools/bin:/usr/local/bin:/usr/bin:/bin");
  CHECK(env_of(result, "PORT") == "8080");
  CHECK(env_of(result, "PYTHONPATH") == "/proj");
  CHECK(env_of(result, "DB") == "/data/db");
  CHECK_THAT(
      notes(result),
      Catch::Contains("line 3: ENV BUNDLE_PATH=/usr/local/bundle names a path that is not on this host"));
  CHECK_THAT(notes(result), !Catch::Contains("DB=/data/db"));
  CHECK(env_of(plan([] {
                 LaunchInputs plain = inputs();
                 plain.process_command = "node";
                 return plain;
               }()),
               "PATH") == "/usr/local/bin:/usr/bin:/bin");
}

TEST_CASE("USER counts where the host knows it") {
  struct Case {
    std::string user, expected;
  };
  for (const Case& each :
       {Case{"www-data:adm", "www-data:adm"}, Case{"1000:1000", "1000:1000"}, Case{"rails", ""}}) {
    const LaunchPlan result = plan(inputs("FROM scratch\nUSER " + each.user + "\nCMD [\"node\"]\n"));
    CHECK(result.user == each.expected);
    CHECK((notes(result).find("line 2: USER rails is not a user of this host") != std::string::npos) ==
          each.expected.empty());
  }
}

TEST_CASE("what cannot be known or made without the image is said, with its line") {
  LaunchInputs in = inputs();
  in.image_reference = "nginx:1";
  in.process_command = "node server.js";
  CHECK_THAT(notes(plan(in)), Catch::Contains("fly.toml [build]: the image nginx:1 is not pulled"));
  const std::string all =
      notes(plan(inputs("FROM golang:1 AS build\nCOPY . /src\nRUN make\nFROM debian:12\nCOPY --from=build "
                        "/out/a /a\nCOPY --from=build /src /s\n"
                        "CMD [\"node\"]\n")));
  CHECK_THAT(all, Catch::Contains("Dockerfile line 4: the base image debian:12 is not pulled, so what it "
                                  "sets itself (ENTRYPOINT, ENV, files) is not here"));
  CHECK_THAT(all, Catch::Contains("Dockerfile line 5: COPY --from=build /out/a /a: nothing of it is on this "
                                  "host, because no stage is built"));
  CHECK_THAT(all, !Catch::Contains("line 6"));
}
