#include "engine/propagator.h"

#include <algorithm>

#include "base/check.h"
#include "base/numbers.h"

namespace vitrine {

namespace {

constexpr size_t kKeptRoom = 64 << 10;

void append_header(std::string& to, char kind, size_t n) {
  char digits[kInt64Chars];
  to += kind;
  to.append(digits, static_cast<size_t>(format_int64(digits, static_cast<int64_t>(n))));
  to += "\r\n";
}

template <typename Words>
void append_command(std::string& to, const Words& argv) {
  append_header(to, '*', argv.size());
  for (Bytes word : argv) {
    append_header(to, '$', word.size());
    to += word;
    to += "\r\n";
  }
}

}  // namespace

Propagator::~Propagator() {
  CHECK(followers_.empty());
}

void Propagator::follow(StreamFollower* follower) {
  CHECK(std::find(followers_.begin(), followers_.end(), follower) == followers_.end());
  if (followers_.empty()) effects_.attach(this);
  followers_.push_back(follower);
  forget_database();
}

void Propagator::leave(StreamFollower* follower) {
  CHECK(std::erase(followers_, follower) == 1);
  if (followers_.empty()) effects_.detach(this);
}

void Propagator::select(int db) {
  if (db == db_) return;
  db_ = db;
  append_command(encoded_, std::vector<std::string>{"SELECT", std::to_string(db)});
}

void Propagator::on_unit(std::span<const Effect> unit) {
  encoded_.clear();
  select(unit.front().db);
  if (unit.size() > 1) encoded_ += "*1\r\n$5\r\nMULTI\r\n";
  for (const Effect& effect : unit) {
    select(effect.db);
    append_command(encoded_, effect.argv);
  }
  if (unit.size() > 1) encoded_ += "*1\r\n$4\r\nEXEC\r\n";
  for (StreamFollower* follower : followers_) follower->on_stream(encoded_);
  if (encoded_.capacity() > kKeptRoom) std::string().swap(encoded_);
}

}  // namespace vitrine
