// Rewriting a value as commands that make it again: what TypeOps::rewrite of a type speaks to.
//
//   maker.item("RPUSH", {value}) ...            RPUSH key a b c ... of up to 64 items each
//   maker.command("HPEXPIREAT", {"1000", ...})  a command of its own, behind the items before it
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace vitrine {

class CommandMaker {
 public:
  using Sink = std::function<void(std::span<const Bytes>)>;   // the words live until it returns

  CommandMaker(Bytes key, const Sink& sink) : key_(key), sink_(sink) {}
  ~CommandMaker() { finish(); }
  CommandMaker(const CommandMaker&) = delete;
  CommandMaker& operator=(const CommandMaker&) = delete;

  // Words of one element; they are copied. REQUIRES: `verb` is a literal.
  void item(Bytes verb, std::initializer_list<Bytes> words);
  void command(Bytes verb, std::initializer_list<Bytes> words);

 private:
  static constexpr size_t kMostItems = 64;
  void finish();

  Bytes key_;
  const Sink& sink_;
  Bytes verb_;                                       // of the items gathered
  size_t items_ = 0;
  std::string text_;                                 // their words, one behind the other
  std::vector<std::pair<size_t, size_t>> words_;     // begin and length in it
};

}  // namespace vitrine
