#pragma once

namespace flylocal::cli {

struct DoctorOptions {
  bool json = false;
};

/// `flylocal doctor`: tries everything that a sandbox needs of this host and tells the way out of what fails.
int doctor(const DoctorOptions& options);

}  // namespace flylocal::cli
