// The only file that names every part: what a node is made of, bottom-up.
#include "base/memory.h"
#include "commands/families.h"
#include "engine/engine_commands.h"
#include "server/node.h"

namespace vitrine {

namespace {

void add_all_commands(CommandRegistry& registry, Dispatcher& dispatcher) {
  add_string_commands(registry);
  add_lcs_command(registry);
  add_generic_commands(registry);
  add_expiry_commands(registry);
  add_session_commands(registry, dispatcher);
  add_client_commands(registry, dispatcher);
  add_transaction_commands(registry, dispatcher);
}

}  // namespace

Node::Node(NodeOptions& options, Settings& settings, const Clock& clock)
    : options_(options), settings_(settings), loop_(clock), workers_(options.process.background_cpus),
      keyspace_(options.keyspace, loop_.wall_ms(), hash_seed ^ static_cast<uint64_t>(loop_.wall_us())),
      waiters_(keyspace_), watches_(keyspace_, sessions_),
      dispatcher_(options.dispatch, registry_, keyspace_, sessions_, waiters_, watches_),
      clients_(loop_, dispatcher_, options.network, options.clients) {
  keyspace_.set_background([this](std::function<void()> work) {
    workers_.submit(Workers::Kind::lazy_free, std::move(work));
  });
  add_all_commands(registry_, dispatcher_);
}

Node::~Node() = default;

}  // namespace vitrine
