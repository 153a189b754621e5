#pragma once

#include <string>

#include "flylocal/config/toml_tree.hpp"

namespace flylocal::config {

/// A TOML value as the text that flyctl makes of it for [env]: Go's %v form. 1.0 becomes "1", a list "[a b]".
std::string env_text(const TomlNode& node);

}  // namespace flylocal::config
