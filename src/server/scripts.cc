// How the node and its scripts go together.
#include "server/node.h"

namespace vitrine {

void Node::wire_scripts() {
  scripting_.engine.on_busy = [this] { return serve_while_busy(); };
  snapshots_.on_functions = [this](std::span<const std::string> codes) {
    auto loaded = scripting_.functions.load_all(codes, true, FunctionStore::OnCollision::refuse,
                                                FunctionStore::Source::log);
    return loaded ? std::string() : loaded.error();
  };
  scripting_.functions.on_change = [this] { snapshots_.functions = scripting_.functions.codes(); };
}

// A script runs for long: the others are told so, and one of them may end it. No data changes, no time passes.
bool Node::serve_while_busy() {
  clients_.serve_aside();
  return !stopping_;
}

ScriptFigures Node::script_figures() const {
  ScriptFigures f;
  f.scripts = scripting_.scripts.size(), f.scripts_bytes = scripting_.scripts.bytes();
  f.libraries = scripting_.functions.libraries().size(), f.functions = scripting_.functions.functions();
  f.functions_bytes = scripting_.functions.bytes();
  f.scripts_heap_bytes = scripting_.scripts.heap_bytes();
  f.functions_heap_bytes = scripting_.functions.heap_bytes();
  f.evicted_scripts = scripting_.scripts.evicted();
  return f;
}

}  // namespace vitrine
