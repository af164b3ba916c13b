#include <cstdio>
#include <string>
#include <vector>

#include "base/memory.h"
#include "base/ticks.h"
#include "server/start.h"

int main(int argc, char** argv) {
  using namespace vitrine;
  switch (asked(argc, argv)) {
    case Asked::version: return print_version(), 0;
    case Asked::help: return print_help(), 0;
    case Asked::check_system: return check_system();
    case Asked::test_memory: return test_memory(argc, argv);
    case Asked::serve: break;
  }
  process::Launch launch(argc, argv);
  memory::register_thread();
  calibrate_ticks();
  NodeOptions options;
  Settings settings;
  register_all_settings(settings, options);
  if (auto read = read_configuration(argc, argv, settings, options); !read) {
    std::fputs(read.error().c_str(), stderr);
    return 1;
  }
  return serve(argc, argv, launch, settings, options);
}
