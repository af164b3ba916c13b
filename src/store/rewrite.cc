#include "store/rewrite.h"

namespace vitrine {

void CommandMaker::item(Bytes verb, std::initializer_list<Bytes> words) {
  if (items_ == kMostItems || verb.data() != verb_.data()) finish();
  verb_ = verb;
  items_++;
  for (Bytes word : words) {
    words_.emplace_back(text_.size(), word.size());
    text_ += word;
  }
}

void CommandMaker::command(Bytes verb, std::initializer_list<Bytes> words) {
  finish();
  item(verb, words);
  finish();
}

void CommandMaker::finish() {
  if (items_ == 0) return;
  std::vector<Bytes> argv{verb_, key_};
  for (auto [begin, length] : words_) argv.push_back(Bytes(text_).substr(begin, length));
  sink_(argv);
  items_ = 0;
  words_.clear();
  text_.clear();
}

}  // namespace vitrine
