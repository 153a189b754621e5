#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "flylocal/launch/dockerfile.hpp"
#include "flylocal/launch/image_paths.hpp"

// A Dockerfile is either understood or explained, and its copies can be followed in bounded time.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flylocal::launch;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const DockerfileReading reading = read_dockerfile(text);
  if (reading.image.has_value() != reading.problems.empty()) std::abort();
  if (!reading.image) return 0;
  const ThisHost host;
  const ImagePaths paths(*reading.image, "/nonexistent", host);
  paths.find("/app/server");
  paths.find_directory(reading.image->workdir ? reading.image->workdir->value : "/");
  paths.not_on_host();
  return 0;
}
