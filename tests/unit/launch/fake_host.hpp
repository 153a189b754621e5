#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "flylocal/launch/host_files.hpp"

namespace flylocal::launch {

/// A host made of lists. A file's parents exist as directories; a name ending in '/' is a directory itself.
class FakeHost final : public HostFiles {
 public:
  FakeHost& file(const std::string& path) {
    files_.insert(path);
    add_parents(path);
    return *this;
  }
  FakeHost& program(const std::string& path) {
    programs_.insert(path);
    return file(path);
  }
  FakeHost& directory(const std::string& path) {
    directories_.insert(path);
    add_parents(path);
    return *this;
  }
  FakeHost& user(const std::string& name) {
    users_.insert(name);
    return *this;
  }

  bool exists(const std::filesystem::path& path) const override {
    return files_.count(clean(path)) > 0 || is_directory(path);
  }
  bool is_directory(const std::filesystem::path& path) const override {
    return directories_.count(clean(path)) > 0;
  }
  bool is_executable(const std::filesystem::path& path) const override {
    return programs_.count(clean(path)) > 0;
  }
  bool has_user(std::string_view name) const override { return users_.count(std::string(name)) > 0; }

 private:
  static std::string clean(const std::filesystem::path& path) {
    std::string text = path.lexically_normal().string();
    if (text.size() > 1 && text.ends_with('/')) text.pop_back();
    return text;
  }
  void add_parents(const std::string& path) {
    for (std::filesystem::path p = std::filesystem::path(path).parent_path();; p = p.parent_path()) {
      directories_.insert(p.string());
      if (p == p.root_path()) return;
    }
  }
  std::set<std::string> files_, programs_, directories_, users_;
};

}  // namespace flylocal::launch
