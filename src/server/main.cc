#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "base/memory.h"
#include "base/ticks.h"
#include "server/node.h"

int main(int argc, char** argv) {
  using namespace vitrine;
  memory::register_thread();
  calibrate_ticks();
  NodeOptions options;
  for (int i = 1; i + 1 < argc; i++)
    if (!std::strcmp(argv[i], "--port")) options.network.port = std::atoi(argv[i + 1]);
  Settings settings;
  SystemClock clock;
  Node node(options, settings, clock);
  auto listening = node.clients().listen();
  if (!listening) {
    log(LogLevel::warning, "%s", listening.error().c_str());
    return 1;
  }
  log(LogLevel::notice, "Ready to accept connections tcp");
  node.run();
}
