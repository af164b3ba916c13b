// FunctionStore: the libraries that FUNCTION LOAD brought, and the functions they have registered.
//
// A library is text: "#!lua name=mylib" and code that runs once, when it is loaded, and calls redis.register_function.
// The text is what is saved, dumped and replayed.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "script/script_engine.h"

namespace vitrine {

struct ScriptFunction {
  std::string name, description;
  bool described = false;
  uint32_t flags = 0;
  int function = 0;                    // of the interpreter
};

struct Library {
  std::string name, code;
  std::vector<ScriptFunction> functions;
};

class FunctionStore {
 public:
  enum class OnCollision : uint8_t { refuse, replace };
  // Where the code comes from: a log, a file or a leader brings what has once been accepted. How long its load may take
  // depends on it.
  enum class Source : uint8_t { client, log };

  explicit FunctionStore(ScriptEngine& engine);

  // The library's name, or the reply's error.
  std::expected<std::string, std::string> load(Bytes code, OnCollision on_collision, Source source);
  // All of them or none. `flush`: instead of what is there.
  std::expected<void, std::string> load_all(std::span<const std::string> codes, bool flush, OnCollision on_collision,
                                            Source source);
  bool remove(Bytes library);
  void flush();

  struct Found {
    const Library* library;
    const ScriptFunction* function;
  };
  // In any case of letters. Nulls when unknown.
  Found find(Bytes function) const;
  const std::map<std::string, std::unique_ptr<Library>>& libraries() const { return libraries_; }
  size_t functions() const { return by_name_.size(); }
  size_t bytes() const;
  size_t heap_bytes() const { return lua_->heap().used_bytes(); }
  std::vector<std::string> codes() const;
  Interpreter& interpreter() { return *lua_; }

  // Told after every change.
  std::function<void()> on_change;

 private:
  std::expected<std::unique_ptr<Library>, std::string> make(Bytes code, Source source);
  std::expected<std::string, std::string> add(Bytes code, OnCollision on_collision, Source source);
  // The library that the code's first line names, if there is one.
  const Library* same_name(Bytes code) const;
  void forget(const Library& library);
  void release(const Library& library);

  ScriptEngine& engine_;
  std::unique_ptr<Interpreter> lua_;
  std::map<std::string, std::unique_ptr<Library>> libraries_;
  std::map<std::string, Found> by_name_;   // in lower case
};

}  // namespace vitrine
