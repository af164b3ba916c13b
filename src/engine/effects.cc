#include "engine/effects.h"

#include <algorithm>

#include "base/check.h"
#include "base/numbers.h"
#include "wire/command_text.h"

namespace vitrine {

namespace {

constexpr size_t kKeptRoom = 64 << 10;
constexpr Bytes kMulti = "*1\r\n$5\r\nMULTI\r\n", kExec = "*1\r\n$4\r\nEXEC\r\n";

void empty_but_keep_room(std::string& s) {
  if (s.capacity() > kKeptRoom) std::string().swap(s);
  else s.clear();
}

}  // namespace

Effects::~Effects() { CHECK(followers_.empty()); }

void Effects::follow(StreamFollower* follower) {
  CHECK(std::find(followers_.begin(), followers_.end(), follower) == followers_.end());
  followers_.push_back(follower);
  forget_database();
}

// Whoever follows next begins with data that has what was gathered so far.
void Effects::leave(StreamFollower* follower) {
  CHECK(std::erase(followers_, follower) == 1);
  if (followers_.empty()) drop_from(0);
}

void Effects::gather(int db, std::span<const Bytes> argv) {
  unit_.push_back({db, bytes_.size()});
  append_command(bytes_, argv);
}

void Effects::drop_from(size_t count) {
  if (count >= unit_.size()) return;
  bytes_.resize(unit_[count].begin);
  unit_.resize(count);
}

void Effects::select(int db) {
  if (db == stream_db_) return;
  stream_db_ = db;
  char digits[kInt64Chars];
  Bytes argv[] = {"SELECT", {digits, format_int64(digits, db)}};
  append_command(sent_, argv);
}

void Effects::send_unit() {
  Bytes whole = bytes_;
  if (unit_.size() > 1 || unit_[0].db != stream_db_) {
    select(unit_[0].db);
    if (unit_.size() > 1) sent_ += kMulti;
    for (size_t i = 0; i < unit_.size(); i++) {
      size_t end = i + 1 < unit_.size() ? unit_[i + 1].begin : bytes_.size();
      select(unit_[i].db);
      sent_.append(bytes_, unit_[i].begin, end - unit_[i].begin);
    }
    if (unit_.size() > 1) sent_ += kExec;
    whole = sent_;
  }
  for (StreamFollower* follower : followers_) follower->on_stream(whole);
  unit_.clear();
  empty_but_keep_room(bytes_);
  empty_but_keep_room(sent_);
}

}  // namespace vitrine
