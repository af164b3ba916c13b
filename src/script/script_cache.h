// ScriptCache: the scripts of EVAL, by their SHA-1. SCRIPT LOAD keeps one until SCRIPT FLUSH; of those that only EVAL
// has brought, the 500 used last are kept.
#pragma once

#include <expected>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "script/script_engine.h"

namespace vitrine {

class ScriptCache {
 public:
  static constexpr size_t kMostOfEval = 500;

  struct Script {
    std::string sha, code;
    int function = 0;
    uint32_t flags = 0;
    bool kept = false;                              // by SCRIPT LOAD
    std::list<Script*>::iterator use;               // in the order of use, unless kept
  };

  explicit ScriptCache(ScriptEngine& engine);

  // By its text; compiles it when it is new. The error is the reply's text.
  std::expected<Script*, std::string> load(Bytes code, bool keep);
  // By its name, in any case. Null when unknown.
  Script* find(Bytes sha);
  void flush();

  Interpreter& interpreter() { return *lua_; }
  size_t size() const { return by_sha_.size(); }
  size_t bytes() const { return bytes_; }
  size_t heap_bytes() const { return lua_->heap().used_bytes(); }
  uint64_t evicted() const { return evicted_; }
  void reset_stats() { evicted_ = 0; }

 private:
  void used(Script& script);
  void make_place();

  ScriptEngine& engine_;
  std::unique_ptr<Interpreter> lua_;
  std::unordered_map<std::string, std::unique_ptr<Script>> by_sha_;
  std::unordered_map<uint64_t, Script*> by_hash_;   // of the text: what EVAL is found by without its SHA-1
  std::list<Script*> in_order_;                     // of use, the last used first
  size_t bytes_ = 0;
  uint64_t evicted_ = 0;
};

}  // namespace vitrine
