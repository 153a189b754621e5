#include "flylocal/launch/image_paths.hpp"

#include <catch2/catch.hpp>

#include "flylocal/launch/dockerfile.hpp"
#include "tests/unit/launch/fake_host.hpp"

using namespace flylocal::launch;

namespace {

constexpr const char* kProject = "/home/me/web";

FakeHost project_host() {
  FakeHost host;
  host.file("/home/me/web/server.js").file("/home/me/web/package.json").file("/home/me/web/server/index.js");
  host.file("/home/me/web/server/bin/run")
      .file("/home/me/web/public/index.html")
      .file("/home/me/web/dist/main.js");
  return host;
}

std::string found(const std::string& dockerfile, const std::string& path) {
  const DockerfileReading reading = read_dockerfile(dockerfile);
  INFO(render(reading.problems));
  REQUIRE(reading.image.has_value());
  const FakeHost host = project_host();
  const auto where = ImagePaths(*reading.image, kProject, host).find(path);
  return where
             ? std::to_string(where->step->line) + (where->derived ? " derived " : " ") + where->path.string()
             : "";
}

std::string found_directory(const std::string& dockerfile, const std::string& path) {
  const DockerfileReading reading = read_dockerfile(dockerfile);
  REQUIRE(reading.image.has_value());
  const FakeHost host = project_host();
  const auto where = ImagePaths(*reading.image, kProject, host).find_directory(path);
  return where ? where->path.string() : "";
}

}  // namespace

TEST_CASE("a path of the image is found through the COPY that puts it there") {
  struct Case {
    std::string copies, path, found;
  };
  const Case cases[] = {
      {"COPY . /app", "/app/server.js", "2 /home/me/web/server.js"},
      {"COPY . /app", "/app/./server/../server.js", "2 /home/me/web/server.js"},
      {"COPY . /app", "/app", "2 /home/me/web"},
      {"COPY . /app", "/app/not/there", ""},
      {"COPY . /app", "/application/server.js", ""},
      {"COPY . /app", "/server.js", ""},
      {"COPY . /", "/server.js", "2 /home/me/web/server.js"},
      {"COPY . .", "/server.js", "2 /home/me/web/server.js"},
      {"WORKDIR /app\nCOPY . .", "/app/server.js", "3 /home/me/web/server.js"},
      {"COPY server/ /app", "/app/bin/run", "2 /home/me/web/server/bin/run"},
      {"COPY server /app/", "/app/bin/run", "2 /home/me/web/server/bin/run"},
      {"COPY server.js /srv/app.js", "/srv/app.js", "2 /home/me/web/server.js"},
      {"COPY server.js /srv/", "/srv/server.js", "2 /home/me/web/server.js"},
      {"COPY server.js package.json /srv", "/srv/package.json", "2 /home/me/web/package.json"},
      // The last one wins, as it overwrites the file in the image.
      {"COPY . /app\nCOPY server/index.js /app/server.js", "/app/server.js",
       "3 /home/me/web/server/index.js"},
      // What is made beside a copied file is expected beside it on the host as well.
      {"COPY package.json /app/", "/app/dist/main.js", "2 derived /home/me/web/dist/main.js"},
      {"COPY package*.json /app/", "/app/dist/main.js", "2 derived /home/me/web/dist/main.js"},
      {"COPY server/*.js /app/", "/app/index.js", "2 derived /home/me/web/server/index.js"},
      {"COPY public /app/public", "/app/dist/main.js", "2 derived /home/me/web/dist/main.js"},
      {"COPY public /app/static", "/app/dist/main.js", ""},
      // "COPY x /x" does not make all of the image's root directory the project.
      {"COPY server.js /server.js", "/dist/main.js", ""},
  };
  for (const Case& each : cases) {
    INFO(each.copies << " looking for " << each.path);
    CHECK(found("FROM scratch\n" + each.copies + "\n", each.path) == each.found);
  }
}

TEST_CASE("COPY --from and FROM a stage are followed into that stage") {
  const std::string build = "FROM a AS build\nWORKDIR /src\nCOPY . .\nRUN make\n";
  struct Case {
    std::string text, path, found;
  };
  const Case cases[] = {
      {build + "FROM b\nCOPY --from=build /src /app\n", "/app/server.js", "6 /home/me/web/server.js"},
      {build + "FROM b\nCOPY --from=0 /src/server /app\n", "/app/bin/run", "6 /home/me/web/server/bin/run"},
      {build + "FROM b\nCOPY --from=build /src/server/bin/run /usr/local/bin/\n", "/usr/local/bin/run",
       "6 /home/me/web/server/bin/run"},
      {build + "FROM b\nCOPY --from=build /src/dist /app/dist\n", "/app/package.json",
       "6 derived /home/me/web/package.json"},
      {build + "FROM b\nCOPY --from=build /out/server /app/server\n", "/app/server", ""},
      {build + "FROM build\nWORKDIR /x\n", "/src/server.js", "3 /home/me/web/server.js"},
      {build + "FROM b AS mid\nCOPY --from=build /src /mid\nFROM c\nCOPY --from=mid /mid /app\n",
       "/app/server.js", "8 /home/me/web/server.js"},
      {build + "FROM b\nCOPY --from=nginx:1 /src /app\n", "/app/server.js", ""},
  };
  for (const Case& each : cases) {
    INFO(each.text << "looking for " << each.path);
    CHECK(found(each.text, each.path) == each.found);
  }
}

TEST_CASE("the working directory is what is copied into it, nearest to the project directory") {
  struct Case {
    std::string copies, directory, found;
  };
  const Case cases[] = {
      {"COPY . /app", "/app", "/home/me/web"},
      {"COPY . /app", "/app/server", "/home/me/web/server"},
      {"COPY . /app\nCOPY public /app", "/app", "/home/me/web"},
      {"COPY server/ /app", "/app", "/home/me/web/server"},
      {"COPY server/ /app\nCOPY package.json /app/", "/app", "/home/me/web/server"},
      {"COPY server/index.js /app/", "/app", "/home/me/web/server"},
      {"COPY package.json /app/\nCOPY server/index.js /app/", "/app", "/home/me/web"},
      {"COPY server.js /app", "/app", ""},
      {"WORKDIR /app\nCOPY server.js /app", "/app", "/home/me/web"},
      {"COPY nowhere /app", "/app", ""},
      {"COPY index.html /index.html", "/", "/home/me/web"},
  };
  for (const Case& each : cases) {
    INFO(each.copies);
    CHECK(found_directory("FROM scratch\n" + each.copies + "\n", each.directory) == each.found);
  }
}

TEST_CASE("where an absent file would come from is known") {
  const DockerfileReading reading = read_dockerfile(
      "FROM a AS build\nCOPY . /src\nFROM b\nCOPY --from=build /out/server /usr/local/bin/\nCOPY web "
      "/srv/web\n"
      "COPY --from=build /src/dist /srv/dist\nCOPY rootfs /\n");
  REQUIRE(reading.image.has_value());
  const FakeHost host = project_host();
  const ImagePaths paths(*reading.image, kProject, host);
  const auto line = [](const CopyStep* step) { return step == nullptr ? 0 : step->line; };
  CHECK(line(paths.origin("/usr/local/bin/server")) == 4);
  CHECK(line(paths.origin("/srv/web/a/b")) == 5);
  CHECK(line(paths.origin("/etc/passwd")) == 0);
  CHECK(line(paths.origin_of_name("server")) == 4);
  CHECK(line(paths.origin_of_name("client")) == 0);
  CHECK(paths.receives_files("/srv"));
  CHECK_FALSE(paths.receives_files("/opt"));
  REQUIRE(paths.not_on_host().size() == 1);
  CHECK(paths.not_on_host()[0]->line == 4);
}

TEST_CASE("stages that copy from each other many times end in bounded work") {
  std::string text = "FROM a AS s0\nCOPY . /x\n";
  for (int i = 1; i < 60; ++i) {
    text += "FROM a AS s" + std::to_string(i) + "\n";
    for (int k = 0; k < 4; ++k) text += "COPY --from=s" + std::to_string(i - 1) + " /x/ /x/\n";
  }
  const DockerfileReading reading = read_dockerfile(text);
  REQUIRE(reading.image.has_value());
  const FakeHost host = project_host();
  const ImagePaths paths(*reading.image, kProject, host);
  paths.find("/x/absent");
  CHECK(paths.not_on_host().size() <= 4);
}

TEST_CASE("paths of the image are made absolute and plain") {
  CHECK(absolute_image_path("a/b", "/app") == "/app/a/b");
  CHECK(absolute_image_path("/a//b/./c/..", "/app") == "/a/b");
  CHECK(absolute_image_path("../../..", "/app") == "/");
  CHECK(absolute_image_path("", "/") == "/");
  CHECK(absolute_image_path(".", "/app/") == "/app");
}
