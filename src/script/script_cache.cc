#include "script/script_cache.h"

#include "base/hash.h"
#include "base/sha1.h"
#include "script/shebang.h"

namespace vitrine {

ScriptCache::ScriptCache(ScriptEngine& engine)
    : engine_(engine), lua_(std::make_unique<Interpreter>(engine, Interpreter::Kind::scripts)) {}

void ScriptCache::used(Script& script) {
  if (!script.kept && in_order_.front() != &script) in_order_.splice(in_order_.begin(), in_order_, script.use);
}

std::expected<ScriptCache::Script*, std::string> ScriptCache::load(Bytes code, bool keep) {
  uint64_t hash = hash_bytes(code);
  auto known = by_hash_.find(hash);
  Script* script = known != by_hash_.end() && known->second->code == code ? known->second : nullptr;
  std::string sha;
  if (!script) {
    sha = sha1_hex(code);
    if (auto it = by_sha_.find(sha); it != by_sha_.end()) script = it->second.get();
  }
  if (script) {
    used(*script);
    if (keep && !std::exchange(script->kept, true)) in_order_.erase(script->use);
    return script;
  }
  auto shebang = read_shebang(code);
  if (!shebang) return std::unexpected("ERR " + shebang.error());
  auto flags = read_script_flags(*shebang);
  if (!flags) return std::unexpected("ERR " + flags.error());
  auto function = lua_->compile(shebang->rest);
  if (!function) return std::unexpected("ERR Error compiling script (new function): " + function.error());
  if (!keep) make_place();
  std::unique_ptr<Script> fresh(new Script{sha, std::string(code), *function, *flags, keep});
  script = fresh.get();
  if (!keep) in_order_.push_front(script), script->use = in_order_.begin();
  bytes_ += sizeof(Script) + script->code.capacity();
  by_hash_[hash] = script;
  by_sha_[sha] = std::move(fresh);
  return script;
}

void ScriptCache::make_place() {
  if (in_order_.size() < kMostOfEval) return;
  Script* oldest = in_order_.back();
  in_order_.pop_back();
  lua_->release(oldest->function);
  bytes_ -= sizeof(Script) + oldest->code.capacity();
  if (auto it = by_hash_.find(hash_bytes(oldest->code)); it != by_hash_.end() && it->second == oldest)
    by_hash_.erase(it);
  by_sha_.erase(std::string(oldest->sha));
  evicted_++;
}

ScriptCache::Script* ScriptCache::find(Bytes sha) {
  if (sha.size() != kSha1HexChars) return nullptr;
  auto it = by_sha_.find(to_lower(sha));
  if (it == by_sha_.end()) return nullptr;
  used(*it->second);
  return it->second.get();
}

// A new interpreter: with the scripts goes all that they have left in it.
void ScriptCache::flush() {
  by_hash_.clear();
  in_order_.clear();
  by_sha_.clear();
  bytes_ = 0;
  lua_ = std::make_unique<Interpreter>(engine_, Interpreter::Kind::scripts);
}

}  // namespace vitrine
