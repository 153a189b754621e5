#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flylocal/report/name_explanation.hpp"

namespace flylocal::report {

/// The apps of a NameWorld, which has to outlive this, as the app that asks sees them.
class VisibleApps {
 public:
  explicit VisibleApps(const NameWorld& world);

  /// The app with this lower-case name, one of the asker's network if there is one there; null when there is none at all.
  const NameWorld::App* find(std::string_view name) const;
  bool is_near(const NameWorld::App& app) const { return app.network == world_.network; }
  /// Those of the asker's network.
  const std::vector<const NameWorld::App*>& near() const { return near_; }
  /// Their names, in lower case.
  std::vector<std::string> near_names() const;

 private:
  const NameWorld& world_;
  std::vector<const NameWorld::App*> near_, far_;
};

/// That no such name exists, as programs tell it.
inline constexpr std::string_view kNoSuchNameOnFly =
    "The same: the name does not exist (NXDOMAIN). getaddrinfo says \"Name or service not known\", Node says ENOTFOUND.";

/// An explanation without a name and without targets.
NameExplanation explained(std::string code, std::optional<bool> resolves, std::string title, std::string found, std::string on_fly, std::string fix = {});
/// That a name of `app` cannot be seen from the asker's network; `found` and `on_fly` say what becomes of such a name.
NameExplanation explained_as_far(const NameWorld::App& app, const NameWorld& world, std::string found, std::string on_fly, std::string fix);

/// "a, b and c"; "none".
std::string list_text(const std::vector<std::string>& words);
std::string lower_text(std::string_view text);
/// The candidate that `word` was probably meant to be; empty when none is near enough.
std::string closest_word(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace flylocal::report
