#include "flylocal/launch/dockerfile.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include <unistd.h>

using namespace flylocal::launch;

namespace {

using Words = std::vector<std::string>;

ImageConfig image_of(std::string_view text, const DockerfileOptions& options = {}) {
  DockerfileReading reading = read_dockerfile(text, options);
  INFO(render(reading.problems));
  REQUIRE(reading.image.has_value());
  return *reading.image;
}

Words problems_of(std::string_view text, const DockerfileOptions& options = {}) {
  const DockerfileReading reading = read_dockerfile(text, options);
  CHECK_FALSE(reading.image.has_value());
  Words lines;
  for (const FileProblem& each : reading.problems) lines.push_back(render(each));
  return lines;
}

std::string env_of(const ImageConfig& image, std::string_view name) {
  for (const ImageVariable& each : image.env) {
    if (each.name == name) return each.value;
  }
  return "(not set)";
}

std::string notes_of(const ImageConfig& image) {
  std::string text;
  for (const ImageNote& each : image.notes) text += std::to_string(each.line) + ": " + each.message + "\n";
  return text;
}

}  // namespace

TEST_CASE("exec form, shell form and SHELL make the argv that Docker would run") {
  struct Case {
    std::string lines;
    Words argv;
    ImageCommand::Form form;
  };
  constexpr auto kExec = ImageCommand::Form::kExec;
  constexpr auto kShell = ImageCommand::Form::kShell;
  const Case cases[] = {
      {R"(CMD ["node", "server.js"])", {"node", "server.js"}, kExec},
      {R"(cmd [ "a\tb" , "\u0041" ])", {"a\tb", "A"}, kExec},
      {R"(CMD node server.js && echo "x")", {"/bin/sh", "-c", R"(node server.js && echo "x")"}, kShell},
      {"SHELL [\"/bin/bash\", \"-lc\"]\nCMD a b", {"/bin/bash", "-lc", "a b"}, kShell},
      {"CMD a b\nSHELL [\"/bin/bash\", \"-lc\"]", {"/bin/sh", "-c", "a b"}, kShell},
      {"CMD one\nCMD two", {"/bin/sh", "-c", "two"}, kShell},
      {"CMD echo $HOME", {"/bin/sh", "-c", "echo $HOME"}, kShell},
      {"CMD []", {}, kExec},
      {"CMD a \\\n  b", {"/bin/sh", "-c", "a   b"}, kShell},
  };
  for (const Case& each : cases) {
    INFO(each.lines);
    const ImageConfig image = image_of("FROM a\n" + each.lines + "\n");
    REQUIRE(image.cmd.has_value());
    CHECK(image.cmd->argv == each.argv);
    CHECK(image.cmd->form == each.form);
    CHECK_FALSE(image.entrypoint.has_value());
  }
}

TEST_CASE("an exec form that is no JSON is run by the shell, and that is said") {
  for (const std::string line : {"CMD ['node', 'x.js']", "CMD [\"node\", \"x.js\",]", "CMD [\"node\", 1]"}) {
    INFO(line);
    const ImageConfig image = image_of("FROM scratch\n" + line);
    CHECK(image.cmd->argv == Words{"/bin/sh", "-c", line.substr(4)});
    CHECK_THAT(notes_of(image), Catch::Contains("2: CMD looks like the exec form"));
  }
}

TEST_CASE("ENTRYPOINT drops an inherited CMD, but not one of its own stage") {
  struct Case {
    std::string name, text;
    std::optional<Words> entrypoint, cmd;
    bool reset;
  };
  const Case cases[] = {
      {"both, CMD last", "FROM a\nENTRYPOINT [\"e\"]\nCMD [\"c\"]", Words{"e"}, Words{"c"}, false},
      {"both, CMD first", "FROM a\nCMD [\"c\"]\nENTRYPOINT [\"e\"]", Words{"e"}, Words{"c"}, false},
      {"ENTRYPOINT alone", "FROM a\nENTRYPOINT [\"e\"]", Words{"e"}, std::nullopt, true},
      {"inherited CMD is dropped", "FROM a AS b\nCMD [\"c\"]\nFROM b\nENTRYPOINT [\"e\"]", Words{"e"},
       std::nullopt, true},
      {"inherited ENTRYPOINT stays", "FROM a AS b\nENTRYPOINT [\"e\"]\nFROM b\nCMD [\"c\"]", Words{"e"},
       Words{"c"}, false},
      {"both inherited", "FROM a AS b\nENTRYPOINT [\"e\"]\nCMD [\"c\"]\nFROM B", Words{"e"}, Words{"c"},
       false},
      {"another stage is not a base", "FROM a AS b\nCMD [\"c\"]\nFROM a", std::nullopt, std::nullopt, false},
      {"emptied entrypoint", "FROM a AS b\nENTRYPOINT [\"e\"]\nFROM b\nENTRYPOINT []\nCMD [\"c\"]", Words{},
       Words{"c"}, false},
  };
  for (const Case& each : cases) {
    INFO(each.name);
    const ImageConfig image = image_of(each.text);
    CHECK(image.entrypoint.has_value() == each.entrypoint.has_value());
    if (image.entrypoint && each.entrypoint) CHECK(image.entrypoint->argv == *each.entrypoint);
    CHECK(image.cmd.has_value() == each.cmd.has_value());
    if (image.cmd && each.cmd) CHECK(image.cmd->argv == *each.cmd);
    CHECK(image.cmd_reset_by_entrypoint == each.reset);
  }
}

TEST_CASE("ENV has two forms, and its variables see only earlier instructions") {
  const ImageConfig image = image_of(
      "FROM scratch\n"
      "ENV A=1 B=\"two words\" C=x\\ y D='$A'\n"
      "ENV LEGACY some  value with $A\n"
      "ENV A=2 E=$A\n"
      "ENV F=${A}${NOPE:-none}\n"
      "ENV EMPTY=\n");
  CHECK(env_of(image, "A") == "2");
  CHECK(env_of(image, "B") == "two words");
  CHECK(env_of(image, "C") == "x y");
  CHECK(env_of(image, "D") == "$A");
  CHECK(env_of(image, "LEGACY") == "some  value with 1");
  CHECK(env_of(image, "E") == "1");
  CHECK(env_of(image, "F") == "2none");
  CHECK(env_of(image, "EMPTY").empty());
  CHECK(image.env.size() == 8);
  CHECK(image.env[0].line == 4);
}

TEST_CASE("ARG: defaults, build arguments, stages, and ENV before ARG") {
  const std::string text =
      "ARG TAG=20\n"
      "ARG IMAGE=node:${TAG}\n"
      "FROM ${IMAGE} AS base\n"
      "ARG TAG\n"
      "ARG PORT=8080\n"
      "ARG NOTHING\n"
      "ARG BOTH=arg\n"
      "ENV BOTH=env\n"
      "ENV R=$TAG/$PORT/$NOTHING/$BOTH/$IMAGE\n"
      "FROM base\n"
      "ENV S=$PORT-\n"
      "ARG TARGETARCH\n"
      "ENV ARCH=$TARGETARCH\n";
  const ImageConfig plain = image_of(text);
  CHECK(plain.base_image == "node:20");
  CHECK(plain.base_image_line == 3);
  CHECK(env_of(plain, "R") == "20/8080//env/");
  CHECK(env_of(plain, "S") == "-");
  CHECK(env_of(plain, "ARCH") == "amd64");
  DockerfileOptions options;
  options.build_args = {{"TAG", "18"}, {"PORT", "3000"}, {"NOTHING", "x"}};
  const ImageConfig given = image_of(text, options);
  CHECK(given.base_image == "node:18");
  CHECK(env_of(given, "R") == "18/3000/x/env/");
}

TEST_CASE("a variable that only the base image can know is said") {
  const ImageConfig image = image_of("FROM ruby:3.3\nENV PATH=$GEM_HOME/bin:$PATH\nWORKDIR $UNKNOWN/app\n");
  CHECK(env_of(image, "PATH") == "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  CHECK_THAT(notes_of(image), Catch::Contains("2: ENV PATH uses $GEM_HOME"));
  CHECK_THAT(notes_of(image), Catch::Contains("3: WORKDIR uses $UNKNOWN"));
}

TEST_CASE("WORKDIR accumulates, USER, STOPSIGNAL and EXPOSE are read") {
  const ImageConfig image = image_of(
      "FROM scratch AS base\n"
      "WORKDIR /srv\n"
      "WORKDIR app/../web\n"
      "FROM base\n"
      "ENV DIR=/x/y P=9000\n"
      "WORKDIR sub\n"
      "USER node:node\n"
      "STOPSIGNAL SIGQUIT\n"
      "EXPOSE 80 443/tcp $P 5000-5010/UDP\n"
      "VOLUME /data\nLABEL a=b c\nHEALTHCHECK --interval=5s CMD curl x\nMAINTAINER somebody\nONBUILD RUN "
      "x\n");
  CHECK(image.workdir->value == "/srv/web/sub");
  CHECK(image.workdir->line == 6);
  CHECK(image.user->value == "node:node");
  CHECK(image.stop_signal->value == "SIGQUIT");
  REQUIRE(image.exposed.size() == 4);
  CHECK((image.exposed[2].first == 9000 && image.exposed[2].last == 9000));
  CHECK((image.exposed[3].first == 5000 && image.exposed[3].last == 5010));
  CHECK(image.exposed[3].protocol == ExposedPorts::Protocol::kUdp);
  CHECK(image.notes.empty());
}

TEST_CASE("the build target is a name or a number; else the last stage") {
  const std::string text = "FROM a AS one\nCMD 1\nFROM a AS two\nCMD 2\nFROM a\nCMD 3\n";
  struct Case {
    std::string target, command;
  };
  for (const Case& each :
       {Case{"", "3"}, Case{"one", "1"}, Case{"TWO", "2"}, Case{"0", "1"}, Case{"2", "3"}}) {
    INFO(each.target);
    CHECK(image_of(text, {.target = each.target}).cmd->argv.back() == each.command);
  }
  CHECK(problems_of(text, {.target = "three"}) ==
        Words{"Dockerfile: there is no stage three (fly.toml [build] build-target); stages with a name: one, "
              "two"});
}

TEST_CASE("copies are kept with where they come from") {
  const ImageConfig image = image_of(
      "FROM a AS build\n"
      "WORKDIR /src\n"
      "COPY . .\n"
      "FROM b\n"
      "WORKDIR /app\n"
      "COPY --chown=app package*.json ../lock ./\n"
      "COPY --from=build /src/out bin/server\n"
      "COPY --from=0 out x/\n"
      "COPY --from=ghcr.io/x/y:1 /z /z\n"
      "ADD https://example.com/f /f\n"
      "COPY <<EOF /conf\nhello\nEOF\n"
      "COPY [\"a b\", \"/c d\"]\n"
      "COPY server.js /app\n");
  REQUIRE(image.stages.size() == 2);
  CHECK(image.stage == 1);
  const auto& copies = image.stages[1].copies;
  REQUIRE(copies.size() == 8);
  CHECK(copies[0].sources == Words{"package*.json", "lock"});
  CHECK((copies[0].destination == "/app" && copies[0].into_directory && copies[0].line == 6));
  CHECK(copies[0].from == CopyStep::From::kProject);
  CHECK((copies[1].from == CopyStep::From::kStage && copies[1].stage == 0));
  CHECK((copies[1].destination == "/app/bin/server" && !copies[1].into_directory));
  CHECK((copies[2].from == CopyStep::From::kStage && copies[2].sources == Words{"/out"} &&
         copies[2].into_directory));
  CHECK(copies[3].from == CopyStep::From::kImage);
  CHECK(copies[4].from == CopyStep::From::kUrl);
  CHECK(copies[5].from == CopyStep::From::kInline);
  CHECK((copies[6].sources == Words{"a b"} && copies[6].destination == "/c d"));
  CHECK(copies[7].into_directory);
  CHECK_THAT(notes_of(image),
             Catch::Contains("9: COPY --from=ghcr.io/x/y:1 /z /z: files of the image ghcr.io/x/y:1"));
  CHECK_THAT(notes_of(image), Catch::Contains("10: ADD https://example.com/f /f: nothing is downloaded"));
}

TEST_CASE("problems name the line, and all are told at once") {
  struct Case {
    std::string text;
    Words problems;
  };
  const Case cases[] = {
      {"", {"Dockerfile: there is no FROM, so this is no Dockerfile"}},
      {"CMD x\n", {"Dockerfile:1: CMD before the first FROM; only ARG may stand there"}},
      {"FROM a b c d\n", {"Dockerfile:1: FROM a b c d: expected FROM image or FROM image AS name"}},
      {"FROM a\nENV A\nENV B=1 C\nEXPOSE 0\nEXPOSE 70000 9-8 80/icmp\nCOPY x\nSHELL sh\nCMD --x y\n",
       {"Dockerfile:2: ENV needs a name and a value: ENV NAME=value",
        "Dockerfile:3: ENV: C is not of the form NAME=value; quote a value that has blanks",
        "Dockerfile:4: EXPOSE 0: expected a port or a range of ports from 1 to 65535, with /tcp or /udp",
        "Dockerfile:5: EXPOSE 70000: expected a port or a range of ports from 1 to 65535, with /tcp or /udp",
        "Dockerfile:5: EXPOSE 9-8: expected a port or a range of ports from 1 to 65535, with /tcp or /udp",
        "Dockerfile:5: EXPOSE 80/icmp: expected a port or a range of ports from 1 to 65535, with /tcp or "
        "/udp",
        "Dockerfile:6: COPY needs a source and a destination",
        "Dockerfile:7: SHELL needs the JSON form, e.g. SHELL [\"/bin/bash\", \"-c\"]",
        "Dockerfile:8: CMD has no flag --x"}},
      {"FROM a\nENV A=${B\n", {"Dockerfile:2: ${B: ${B is not closed with }"}},
  };
  for (const Case& each : cases) {
    INFO(each.text);
    CHECK(problems_of(each.text) == each.problems);
  }
  CHECK_THAT(problems_of("FROM $NOPE\n")[0],
             Catch::Contains("Dockerfile:1: FROM $NOPE: the image's name is empty"));
}

TEST_CASE("a mistake in a stage that the target does not need does not count") {
  CHECK(image_of("FROM a AS lint\nENV A=${B#x}\nFROM a\nCMD x\n").cmd.has_value());
  CHECK(problems_of("FROM a AS build\nENV A=${B#x}\nFROM a\nCOPY --from=build /x /x\nCMD x\n").size() == 1);
}

TEST_CASE("a Dockerfile that cannot be read is a problem") {
  namespace fs = std::filesystem;
  const fs::path directory =
      fs::temp_directory_path() / ("flylocal-dockerfile-test-" + std::to_string(::getpid()));
  fs::create_directories(directory);
  CHECK_FALSE(find_dockerfile(directory).has_value());
  CHECK(render(load_dockerfile(directory / "Dockerfile").problems) == "Dockerfile: no such file");
  CHECK(render(load_dockerfile(directory, {.file_name = "docker"}).problems) ==
        "docker: is a directory, expected a file");
  std::ofstream(directory / "dockerfile") << "FROM scratch\nCMD x\n";
  CHECK(find_dockerfile(directory) == directory / "dockerfile");
  CHECK(load_dockerfile(directory / "dockerfile").image.has_value());
  std::ofstream(directory / "Dockerfile") << std::string((1 << 20) + 1, '#');
  CHECK(find_dockerfile(directory) == directory / "Dockerfile");
  CHECK(render(load_dockerfile(directory / "Dockerfile").problems) == "Dockerfile: is larger than 1 MiB");
  fs::remove_all(directory);
}
