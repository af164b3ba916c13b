#include "script/function_store.h"

#include "script/function_registration.h"
#include "script/shebang.h"

namespace vitrine {

namespace {

// The load of one library. What was accepted once and now takes longer, on a machine that is busy, is not to be lost.
constexpr int64_t kLoadLimitMs = 500, kLoadFromLogLimitMs = 60000;

// The name that the first line gives.
std::expected<std::string, std::string> read_library_name(const Shebang& shebang) {
  std::string name;
  bool given = false;
  for (const std::string& word : shebang.words) {
    if (!equals_ignoring_case(Bytes(word).substr(0, 5), "name="))
      return std::unexpected("ERR Invalid metadata value given: " + word);
    if (std::exchange(given, true))
      return std::unexpected("ERR Invalid metadata value, name argument was given multiple times");
    name = word.substr(5);
  }
  if (!given) return std::unexpected("ERR Library name was not given");
  if (!is_library_word(name))
    return std::unexpected("ERR Library names can only contain letters, numbers, or underscores(_) and must be at "
                           "least one character long");
  if (!equals_ignoring_case(shebang.engine, "lua"))
    return std::unexpected("ERR Engine '" + shebang.engine + "' not found");
  return name;
}

}  // namespace

FunctionStore::FunctionStore(ScriptEngine& engine)
    : engine_(engine), lua_(std::make_unique<Interpreter>(engine, Interpreter::Kind::functions)) {}

// Compiles and runs the code of a library; nobody knows of it yet.
std::expected<std::unique_ptr<Library>, std::string> FunctionStore::make(Bytes code, Source source) {
  auto shebang = read_shebang(code);
  if (!shebang) return std::unexpected("ERR Invalid library metadata");
  if (!shebang->present) return std::unexpected("ERR Missing library metadata");
  auto name = read_library_name(*shebang);
  if (!name) return std::unexpected(name.error());
  auto body = lua_->compile(shebang->rest);
  if (!body) return std::unexpected("ERR Error compiling function: " + body.error());
  auto library = std::make_unique<Library>();
  library->name = *name;
  library->code = code;
  int64_t limit_ms = source == Source::client ? kLoadLimitMs : kLoadFromLogLimitMs;
  std::string error = engine_.run_library(*lua_, *body, *library, limit_ms);
  lua_->release(*body);
  if (error.empty() && !library->functions.empty()) return library;
  release(*library);
  return std::unexpected(error.empty() ? "ERR No functions registered" : "ERR Error registering functions: " + error);
}

const Library* FunctionStore::same_name(Bytes code) const {
  auto shebang = read_shebang(code);
  if (!shebang || !shebang->present) return nullptr;
  auto name = read_library_name(*shebang);
  auto it = name ? libraries_.find(*name) : libraries_.end();
  return it == libraries_.end() ? nullptr : it->second.get();
}

std::expected<std::string, std::string> FunctionStore::add(Bytes code, OnCollision on_collision,
                                                             Source source) {
  if (on_collision == OnCollision::refuse)
    if (const Library* old = same_name(code)) return std::unexpected("ERR Library " + old->name + " already exists");
  auto made = make(code, source);
  if (!made) return std::unexpected(made.error());
  Library& library = **made;
  for (const ScriptFunction& f : library.functions) {
    auto it = by_name_.find(to_lower(f.name));
    if (it == by_name_.end() || it->second.library->name == library.name) continue;
    std::string error = "ERR Function " + f.name + " already exists";
    release(library);
    return std::unexpected(error);
  }
  if (auto old = libraries_.find(library.name); old != libraries_.end()) forget(*old->second);
  for (const ScriptFunction& f : library.functions) by_name_[to_lower(f.name)] = {&library, &f};
  std::string name = library.name;
  libraries_[name] = std::move(*made);
  return name;
}

std::expected<std::string, std::string> FunctionStore::load(Bytes code, OnCollision on_collision,
                                                              Source source) {
  if (on_collision == OnCollision::refuse)   // in other words than FUNCTION RESTORE's
    if (const Library* old = same_name(code)) return std::unexpected("ERR Library '" + old->name + "' already exists");
  auto name = add(code, on_collision, source);
  if (name && on_change) on_change();
  return name;
}

std::expected<void, std::string> FunctionStore::load_all(std::span<const std::string> codes, bool flush_first,
                                                         OnCollision on_collision, Source source) {
  // Into a store of its own first: then either all of it comes in, or nothing.
  FunctionStore trial(engine_);
  if (!flush_first)
    for (const auto& [name, library] : libraries_)
      if (auto kept = trial.add(library->code, OnCollision::refuse, source); !kept)
        return std::unexpected(kept.error());
  for (const std::string& code : codes)
    if (auto added = trial.add(code, on_collision, source); !added) return std::unexpected(added.error());
  if (flush_first) {
    std::swap(lua_, trial.lua_);
    std::swap(libraries_, trial.libraries_);
    std::swap(by_name_, trial.by_name_);
  } else {
    // Those that are here keep what they remember.
    for (const std::string& code : codes) add(code, on_collision, source);
  }
  if (on_change) on_change();
  return {};
}

void FunctionStore::release(const Library& library) {
  for (const ScriptFunction& f : library.functions) lua_->release(f.function);
}

void FunctionStore::forget(const Library& library) {
  release(library);
  for (const ScriptFunction& f : library.functions) by_name_.erase(to_lower(f.name));
}

bool FunctionStore::remove(Bytes library) {
  auto it = libraries_.find(std::string(library));
  if (it == libraries_.end()) return false;
  forget(*it->second);
  libraries_.erase(it);
  if (on_change) on_change();
  return true;
}

// A new interpreter: with the libraries goes all that they have left in it.
void FunctionStore::flush() {
  by_name_.clear();
  libraries_.clear();
  lua_ = std::make_unique<Interpreter>(engine_, Interpreter::Kind::functions);
  if (on_change) on_change();
}

FunctionStore::Found FunctionStore::find(Bytes function) const {
  auto it = by_name_.find(to_lower(function));
  return it == by_name_.end() ? Found{nullptr, nullptr} : it->second;
}

size_t FunctionStore::bytes() const {
  size_t bytes = 0;
  for (const auto& [name, library] : libraries_)
    bytes += sizeof(Library) + library->code.capacity() + library->functions.size() * sizeof(ScriptFunction);
  return bytes;
}

std::vector<std::string> FunctionStore::codes() const {
  std::vector<std::string> codes;
  for (const auto& [name, library] : libraries_) codes.push_back(library->code);
  return codes;
}

}  // namespace vitrine
