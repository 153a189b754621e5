#include "netns/mount_plan.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

namespace flylocal::netns {
namespace {

namespace fs = std::filesystem;
using Op = MountStep::Op;
using Need = MountStep::Need;

const fs::path kScratch = "/proc";

enum class PointKind { kFile, kDirectory };

struct MountPoint {
  fs::path path;  // with the symbolic links of its existing part resolved
  PointKind kind;
};

/// Directories that a tmpfs must cover, each with the names in it that the guest gets anew.
using Mirrors = std::map<fs::path, std::set<std::string>>;

class Planner {
 public:
  Result<MountPoint> add_point(const std::string& destination, PointKind kind);
  void plan_mirrors();
  void add(Op op, std::string source, std::string target, Need need = Need::kRequired) {
    steps_.push_back({op, std::move(source), std::move(target), need});
  }
  std::vector<MountStep> take() { return std::move(steps_); }

 private:
  void mirror_root(const std::set<std::string>& fresh);
  void mirror_directory(const fs::path& directory, const std::set<std::string>& fresh, int number);
  void mirror_entry(const fs::directory_entry& entry, const fs::path& source, const fs::path& target);
  void make_missing_directories();

  std::vector<MountPoint> points_;
  Mirrors mirrors_;
  std::vector<MountStep> steps_;
};

bool is_searchable(const fs::path& directory) { return ::access(directory.c_str(), R_OK | X_OK) == 0; }

Result<MountPoint> Planner::add_point(const std::string& destination, PointKind kind) {
  std::error_code failed;
  fs::path wanted = fs::path(destination).lexically_normal();
  if (wanted.has_relative_path() && wanted.filename().empty()) wanted = wanted.parent_path();
  if (!wanted.is_absolute() || wanted == "/")
    return Error{fmt::format("mount destination {:?} is not a path below /", destination)};
  fs::path path = fs::weakly_canonical(wanted, failed);
  if (failed) path = wanted;  // a directory on the way cannot be searched: it is made anew below
  if (path == kScratch || path.string().starts_with("/proc/"))
    return Error{fmt::format("mount destination {} is in /proc, which belongs to the machine's own kernel view", destination)};

  fs::file_status status = fs::status(path, failed);
  if (fs::exists(status)) {
    const bool directory = fs::is_directory(status);
    if (directory != (kind == PointKind::kDirectory))
      return Error{fmt::format("mount destination {} is a {} on this machine, and a {} is to be mounted there", destination,
                               directory ? "directory" : "file", directory ? "file" : "directory")};
    return points_.emplace_back(MountPoint{path, kind});
  }

  fs::path ancestor = path.parent_path(), missing = path.filename();
  while (ancestor != "/" && (!fs::is_directory(ancestor, failed) || !is_searchable(ancestor))) {
    missing = ancestor.filename();
    ancestor = ancestor.parent_path();
  }
  mirrors_[ancestor].insert(missing);
  return points_.emplace_back(MountPoint{path, kind});
}

void Planner::mirror_entry(const fs::directory_entry& entry, const fs::path& source, const fs::path& target) {
  std::error_code failed;
  if (entry.is_symlink(failed)) {
    add(Op::kSymlink, fs::read_symlink(entry.path(), failed), target);
  } else if (entry.is_directory(failed)) {
    add(Op::kMakeDirectory, "", target);
    add(Op::kBind, source, target, Need::kOptional);
  } else {
    add(Op::kWriteFile, "", target);
    add(Op::kBind, source, target, Need::kOptional);
  }
}

void Planner::mirror_root(const std::set<std::string>& fresh) {
  const fs::path root = kScratch / "root";
  add(Op::kTmpfs, "mode=0755", kScratch);
  add(Op::kMakeDirectory, "", root);
  add(Op::kBind, root, root);  // pivot_root(2) wants a mount point
  for (const auto& entry : fs::directory_iterator("/")) {
    if (fresh.contains(entry.path().filename()) || entry.path() == kScratch) continue;
    mirror_entry(entry, entry.path(), root / entry.path().filename());
  }
  add(Op::kMakeDirectory, "", root / "proc");
  add(Op::kMakeDirectory, "", root / ".old");
  add(Op::kPivotRoot, root / ".old", root);
  // The scratch tmpfs goes, and with it what hid the host's /proc: a container may not let us mount another.
  add(Op::kDetach, "", "/.old/proc");
  add(Op::kBind, "/.old/proc", "/proc");
  add(Op::kDetach, "", "/.old");
}

void Planner::mirror_directory(const fs::path& directory, const std::set<std::string>& fresh, int number) {
  const fs::path original = kScratch / fmt::format("old-{}", number);
  const fs::perms mode = fs::status(directory).permissions();
  add(Op::kMakeDirectory, "", original);
  add(Op::kBind, directory, original);
  add(Op::kTmpfs, fmt::format("mode={:o}", static_cast<unsigned>(mode)), directory);
  for (const auto& entry : fs::directory_iterator(directory, fs::directory_options::skip_permission_denied)) {
    const fs::path name = entry.path().filename();
    if (!fresh.contains(name)) mirror_entry(entry, original / name, directory / name);
  }
  add(Op::kDetach, "", original);
}

void Planner::make_missing_directories() {
  // Every directory on the way to a point, below the mirror that made room for it.
  std::set<fs::path> made;
  for (const MountPoint& point : points_) {
    for (const auto& [mirror, fresh] : mirrors_) {
      fs::path relative = point.path.lexically_relative(mirror);
      if (relative.empty() || *relative.begin() == ".." || !fresh.contains(*relative.begin())) continue;
      fs::path at = mirror;
      for (const fs::path& part : relative) {
        at /= part;
        if (at == point.path && point.kind == PointKind::kFile) {
          add(Op::kWriteFile, "", at);
        } else if (made.insert(at).second) {
          add(Op::kMakeDirectory, "", at);
        }
      }
    }
  }
}

void Planner::plan_mirrors() {
  if (auto root = mirrors_.find("/"); root != mirrors_.end()) mirror_root(root->second);
  add(Op::kTmpfs, "mode=0755", kScratch);
  int number = 0;
  for (const auto& [directory, fresh] : mirrors_)
    if (directory != "/") mirror_directory(directory, fresh, number++);
  make_missing_directories();
}

}  // namespace

std::string describe(const MountStep& step) {
  switch (step.op) {
    case Op::kMakeDirectory: return "make directory " + step.target;
    case Op::kWriteFile: return "write " + step.target;
    case Op::kSymlink: return fmt::format("link {} to {}", step.target, step.source);
    case Op::kBind: return fmt::format("bind {} at {}", step.source, step.target);
    case Op::kTmpfs: return "mount a tmpfs at " + step.target;
    case Op::kProc: return "mount proc at " + step.target;
    case Op::kSysfs: return "mount sysfs at " + step.target;
    case Op::kMqueue: return "mount mqueue at " + step.target;
    case Op::kPivotRoot: return "make " + step.target + " the root";
    case Op::kDetach: return "unmount " + step.target;
  }
  return {};
}

Result<std::vector<MountStep>> plan_mounts(const std::vector<GuestFile>& files, const std::vector<BindMount>& binds) {
  Planner planner;
  std::vector<std::pair<fs::path, std::string>> file_binds, directory_binds;
  for (const GuestFile& file : files) {
    auto point = planner.add_point(file.path, PointKind::kFile);
    if (!point) return point.error();
    file_binds.emplace_back(point->path, file.content);
  }
  for (const BindMount& bind : binds) {
    auto point = planner.add_point(bind.destination, PointKind::kDirectory);
    if (!point) return point.error();
    directory_binds.emplace_back(point->path, bind.source);
  }
  try {
    planner.plan_mirrors();
  } catch (const fs::filesystem_error& error) {
    return Error{error.what(), error.code()};
  }

  int number = 0;
  for (const auto& [path, content] : file_binds) {
    const fs::path scratch = kScratch / fmt::format("file-{}", number++);
    planner.add(Op::kWriteFile, content, scratch);
    planner.add(Op::kBind, scratch, path);
  }
  // Outer destinations first, so that an inner one is not hidden by a later mount.
  std::sort(directory_binds.begin(), directory_binds.end());
  for (const auto& [path, source] : directory_binds) planner.add(Op::kBind, source, path);

  planner.add(Op::kDetach, "", kScratch);
  // An unprivileged container masks parts of /proc, and then the kernel refuses a new one: the old one stays.
  planner.add(Op::kProc, "", "/proc", Need::kOptional);
  planner.add(Op::kSysfs, "", "/sys", Need::kOptional);
  planner.add(Op::kTmpfs, "mode=1777", "/dev/shm", Need::kOptional);
  planner.add(Op::kMqueue, "", "/dev/mqueue", Need::kOptional);
  return planner.take();
}

}  // namespace flylocal::netns
