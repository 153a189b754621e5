#include "flylocal/launch/image_paths.hpp"

#include <algorithm>
#include <utility>

namespace flylocal::launch {

namespace fs = std::filesystem;

struct ImagePaths::Candidate {
  fs::path path;
  const CopyStep* step;
  bool derived;
};

struct ImagePaths::Search {
  // Every stage may copy from every earlier one several times, so the tree of a hostile file grows
  // exponentially. Real ones need fewer than a hundred visits.
  static constexpr int kMostVisits = 2000;
  int visits = 0;
  std::vector<Candidate> found;
};

namespace {

/// "These two are the same thing": a path of the image, and a source that is relative to the project or
/// absolute in a stage.
struct Pair {
  std::string image;
  std::string source;
  bool derived;
};

std::string_view last_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

/// The parent of "/app" is "/", that of the relative "app" is "".
std::string parent(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return "";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string join(const std::string& directory, std::string_view rest) {
  if (rest.empty()) return directory;
  if (directory.empty()) return std::string(rest);
  return directory + (directory.ends_with('/') ? "" : "/") + std::string(rest);
}

/// What is left of `path` below `directory`: "" for the directory itself, nothing where it is elsewhere.
std::optional<std::string_view> below(std::string_view path, std::string_view directory) {
  if (path == directory) return std::string_view();
  if (directory == "/") return path.substr(1);
  if (path.starts_with(directory) && path[directory.size()] == '/') return path.substr(directory.size() + 1);
  return std::nullopt;
}

void add_with_parents(std::vector<Pair>& pairs, std::string image, std::string source) {
  pairs.push_back({image, source, false});
  while (image != "/" && !source.empty() && source != "/" && last_name(image) == last_name(source)) {
    image = parent(image);
    source = parent(source);
    pairs.push_back({image, source, true});
  }
}

/// What a source is decides where it arrives; an unknown one may have arrived in either place.
std::vector<Pair> pairs_of(const CopyStep& step, const std::string& source, bool may_be_file,
                           bool may_be_directory) {
  std::vector<Pair> pairs;
  if (const std::size_t wildcard = source.find_first_of("*?["); wildcard != std::string::npos) {
    pairs.push_back({step.destination, parent(source.substr(0, wildcard) + "x"), true});
    return pairs;
  }
  if (step.into_directory && may_be_file) {
    add_with_parents(pairs, join(step.destination, last_name(source)), source);
  }
  if (!step.into_directory || may_be_directory) add_with_parents(pairs, step.destination, source);
  return pairs;
}

std::size_t depth(const fs::path& path) {
  return static_cast<std::size_t>(std::distance(path.begin(), path.end()));
}

}  // namespace

ImagePaths::ImagePaths(const ImageConfig& image, fs::path project_directory, const HostFiles& host)
    : image_(image), project_directory_(std::move(project_directory)), host_(host) {}

void ImagePaths::collect(Search& search, std::size_t stage, const std::string& image_path,
                         const CopyStep* outer, bool derived) const {
  if (++search.visits > Search::kMostVisits || stage >= image_.stages.size()) return;
  const StageFiles& files = image_.stages[stage];
  for (auto step = files.copies.rbegin(); step != files.copies.rend(); ++step) {
    const bool from_project = step->from == CopyStep::From::kProject;
    if (!from_project && step->from != CopyStep::From::kStage) continue;
    const CopyStep* const named = outer != nullptr ? outer : &*step;
    for (const std::string& source : step->sources) {
      const SourceKind kind = kind_of(search, *step, source);
      for (const Pair& pair :
           pairs_of(*step, source, kind != SourceKind::kDirectory, kind != SourceKind::kFile)) {
        const std::optional<std::string_view> rest = below(image_path, pair.image);
        if (!rest) continue;
        // "COPY app /app" says little about the rest of the image's root directory.
        if (pair.derived && pair.image == "/" && !rest->empty()) continue;
        const std::string inner = join(pair.source, *rest);
        if (from_project) {
          fs::path path = inner.empty() ? project_directory_ : project_directory_ / inner;
          search.found.push_back({std::move(path), named, derived || pair.derived});
        } else {
          collect(search, step->stage, inner.empty() ? "/" : inner, named, derived || pair.derived);
        }
      }
    }
  }
  if (files.based_on) collect(search, *files.based_on, image_path, outer, derived);
}

ImagePaths::SourceKind ImagePaths::kind_of(Search& search, const CopyStep& step,
                                           const std::string& source) const {
  if (step.from == CopyStep::From::kProject) {
    return host_.is_directory(project_directory_ / source) ? SourceKind::kDirectory : SourceKind::kFile;
  }
  Search inside;
  inside.visits = search.visits;
  collect(inside, step.stage, source, nullptr, false);
  search.visits = inside.visits;
  for (const Candidate& candidate : inside.found) {
    if (host_.is_directory(candidate.path)) return SourceKind::kDirectory;
    if (host_.exists(candidate.path)) return SourceKind::kFile;
  }
  return SourceKind::kUnknown;
}

std::vector<ImagePaths::Candidate> ImagePaths::candidates(std::size_t stage,
                                                          std::string_view image_path) const {
  Search search;
  collect(search, stage, absolute_image_path(image_path, "/"), nullptr, false);
  std::stable_partition(search.found.begin(), search.found.end(),
                        [](const Candidate& c) { return !c.derived; });
  return std::move(search.found);
}

std::optional<HostPath> ImagePaths::find(std::string_view image_path) const {
  for (const Candidate& candidate : candidates(image_.stage, image_path)) {
    if (host_.exists(candidate.path)) return HostPath{candidate.path, candidate.step, candidate.derived};
  }
  return std::nullopt;
}

std::optional<HostPath> ImagePaths::find_directory(std::string_view image_path) const {
  std::optional<HostPath> best;
  for (const Candidate& candidate : candidates(image_.stage, image_path)) {
    if (best && !best->derived && candidate.derived) break;
    if (best && depth(best->path) <= depth(candidate.path)) continue;
    if (host_.is_directory(candidate.path))
      best = HostPath{candidate.path, candidate.step, candidate.derived};
  }
  return best;
}

std::vector<const CopyStep*> ImagePaths::steps() const {
  std::vector<const CopyStep*> steps;
  std::optional<std::size_t> stage = image_.stage;
  while (stage && *stage < image_.stages.size()) {
    const StageFiles& files = image_.stages[*stage];
    for (auto step = files.copies.rbegin(); step != files.copies.rend(); ++step) steps.push_back(&*step);
    stage = files.based_on;
  }
  return steps;
}

const CopyStep* ImagePaths::origin(std::string_view image_path) const {
  const std::string path = absolute_image_path(image_path, "/");
  const std::vector<const CopyStep*> all = steps();
  for (const CopyStep* step : all) {
    const bool by_name =
        std::any_of(step->sources.begin(), step->sources.end(), [&](const std::string& source) {
          return step->into_directory && join(step->destination, last_name(source)) == path;
        });
    if (by_name || step->destination == path) return step;
  }
  const CopyStep* nearest = nullptr;
  for (const CopyStep* step : all) {
    if (step->destination == "/" || !below(path, step->destination) || !copies_a_directory(*step)) continue;
    if (nearest == nullptr || step->destination.size() > nearest->destination.size()) nearest = step;
  }
  return nearest;
}

bool ImagePaths::copies_a_directory(const CopyStep& step) const {
  if (step.from != CopyStep::From::kProject) return step.from != CopyStep::From::kInline;
  return std::any_of(step.sources.begin(), step.sources.end(), [&](const std::string& source) {
    const std::filesystem::path path = project_directory_ / source;
    return host_.is_directory(path) || !host_.exists(path);
  });
}

const CopyStep* ImagePaths::origin_of_name(std::string_view name) const {
  for (const CopyStep* step : steps()) {
    if (!step->into_directory && last_name(step->destination) == name) return step;
    for (const std::string& source : step->sources) {
      if (last_name(source) == name) return step;
    }
  }
  return nullptr;
}

bool ImagePaths::receives_files(std::string_view image_path) const {
  const std::string path = absolute_image_path(image_path, "/");
  for (const CopyStep* step : steps()) {
    if (below(step->destination, path)) return true;
  }
  return origin(path) != nullptr;
}

std::vector<const CopyStep*> ImagePaths::not_on_host() const {
  std::vector<const CopyStep*> absent;
  for (const CopyStep* step : steps()) {
    if (step->from != CopyStep::From::kStage) continue;
    const bool found =
        std::any_of(step->sources.begin(), step->sources.end(), [&](const std::string& source) {
          const std::vector<Candidate> all = candidates(step->stage, source);
          return std::any_of(all.begin(), all.end(),
                             [&](const Candidate& c) { return host_.exists(c.path); });
        });
    if (!found) absent.push_back(step);
  }
  std::reverse(absent.begin(), absent.end());
  return absent;
}

std::string absolute_image_path(std::string_view path, std::string_view directory) {
  std::vector<std::string_view> names;
  const auto add = [&names](std::string_view text) {
    while (!text.empty()) {
      const std::size_t slash = text.find('/');
      const std::string_view name = text.substr(0, slash);
      text.remove_prefix(slash == std::string_view::npos ? text.size() : slash + 1);
      if (name == ".." && !names.empty()) names.pop_back();
      if (!name.empty() && name != "." && name != "..") names.push_back(name);
    }
  };
  if (!path.starts_with('/')) add(directory);
  add(path);
  std::string absolute;
  for (const std::string_view name : names) absolute.append("/").append(name);
  return absolute.empty() ? "/" : absolute;
}

}  // namespace flylocal::launch
