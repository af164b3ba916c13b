// Expiry of hash fields: HEXPIRE and its kin, HTTL and its kin, HPERSIST, HGETEX, HSETEX; and HGETDEL.
#include <vector>

#include "commands/families.h"
#include "commands/hash_replies.h"
#include "engine/command.h"

namespace vitrine {

namespace {

constexpr Bytes kNoFields = "ERR Mandatory argument FIELDS is missing or not at the right position";
constexpr Bytes kFieldsMismatch = "ERR The `numfields` parameter must match the number of arguments";
constexpr Bytes kFewFields = "ERR Parameter `numFields` should be greater than 0";

using Fields = std::span<const Bytes>;

// "FIELDS n field ...": the rest of the arguments.
bool take_fields(Call& c, Fields& fields, Bytes few = kFewFields) {
  if (!c.args.failed() && !c.args.accept("FIELDS")) c.args.fail(kNoFields);
  int64_t n = c.args.integer(1, INT64_MAX, few, few);
  if (!c.args.failed() && static_cast<uint64_t>(n) != c.args.left()) c.args.fail(kFieldsMismatch);
  fields = c.args.rest();
  return c.args.done();
}

void reply_for_all(Call& c, Fields fields, int64_t code) {
  c.reply.array(static_cast<int64_t>(fields.size()));
  for (size_t i = 0; i < fields.size(); i++) c.reply.integer(code);
}

// The fields that a command changes; what replays it: NAME key [moment] FIELDS n field ..., or HDEL key field ...
class FieldEffect {
 public:
  FieldEffect(Call& c, Bytes key) : c_(c), key_(key) {}
  void add(Bytes field) {
    if (c_.effects.wanted() || c_.keyspace.fields_observed()) fields_.push_back(field);
  }
  // Closes the edit first, which announces its own event.
  void tell(Edit<Hash>& edit, Bytes event) {
    if (__builtin_expect(!c_.keyspace.fields_observed(), 1)) return;
    edit.close();
    tell(event);
  }
  void tell(Bytes event) { c_.keyspace.tell_fields(c_.db, key_, event, fields_); }
  void replay_as(Bytes name, int64_t at_ms = kNoExpiry) {
    if (fields_.empty() || !c_.effects.wanted()) return;
    std::string moment = std::to_string(at_ms), count = std::to_string(fields_.size());
    std::vector<Bytes> argv = {name, key_};
    if (at_ms != kNoExpiry) argv.push_back(moment);
    if (name != "HDEL") argv.insert(argv.end(), {"FIELDS", count});
    argv.insert(argv.end(), fields_.begin(), fields_.end());
    c_.effects.replace(argv);
  }

 private:
  Call& c_;
  Bytes key_;
  std::vector<Bytes> fields_;
};

// ---- moments ----

// The latest moment that a field can have, as in Redis: 48 bits of milliseconds.
constexpr int64_t kLatestMs = (int64_t{1} << 48) - 2;

int64_t field_moment(Call& c, int64_t number, bool seconds, bool absolute) {
  int64_t unit = seconds ? 1000 : 1, start = absolute ? 0 : c.now_ms;
  if (number <= (kLatestMs - start) / unit) return number * unit + start;
  c.args.fail_formatted("ERR invalid expire time in '" + c.command->full_name + "' command");
  return 0;
}

struct Condition {
  bool nx = false, xx = false, gt = false, lt = false;

  void read(Args& args) {
    if (args.accept("NX")) nx = true;
    else if (args.accept("XX")) xx = true;
    else if (args.accept("GT")) gt = true;
    else if (args.accept("LT")) lt = true;
  }
  bool allows(int64_t current, int64_t at_ms) const {
    bool has = current != kNoExpiry;
    if (nx) return !has;
    if (xx) return has;
    if (gt) return has && at_ms > current;
    if (lt) return !has || at_ms < current;
    return true;
  }
};

// ---- HEXPIRE and its kin ----

void expire_fields(Call& c, bool seconds, bool absolute) {
  Bytes key = c.args.bytes();
  auto hash = c.edit<Hash>(key, "hexpire", Missing::skip);
  if (hash.wrong_type()) return;
  int64_t number = c.args.integer();
  if (!c.args.failed() && number < 0) c.args.fail("ERR invalid expire time, must be >= 0");
  int64_t at_ms = c.args.failed() ? 0 : field_moment(c, number, seconds, absolute);
  Condition condition;
  condition.read(c.args);
  Fields fields;
  if (!take_fields(c, fields)) return;
  if (hash.missing()) return reply_for_all(c, fields, -2);
  bool past = c.keyspace.past(at_ms);
  if (past) hash.set_event("hdel");
  FieldEffect effect(c, key);
  c.reply.array(static_cast<int64_t>(fields.size()));
  for (Bytes field : fields) {
    int64_t current = hash->expiry(field);
    if (current == Hash::kNoField) {
      c.reply.integer(-2);
      continue;
    }
    if (!condition.allows(current, at_ms)) {
      c.reply.integer(0);
      continue;
    }
    if (past) hash->erase(field);
    else hash->set_expiry(field, at_ms);
    effect.add(field);
    c.reply.integer(past ? 2 : 1);
  }
  past ? effect.replay_as("HDEL") : effect.replay_as("HPEXPIREAT", at_ms);
  effect.tell(hash, past ? "hdel" : "hexpire");
}
void hexpire(Call& c) { expire_fields(c, true, false); }
void hpexpire(Call& c) { expire_fields(c, false, false); }
void hexpireat(Call& c) { expire_fields(c, true, true); }
void hpexpireat(Call& c) { expire_fields(c, false, true); }

// ---- HTTL and its kin ----

void reply_expiries(Call& c, bool seconds, bool absolute) {
  auto hash = c.read<Hash>(c.args.bytes());
  if (hash.wrong_type()) return;
  Fields fields;
  if (!take_fields(c, fields)) return;
  if (hash.missing()) return reply_for_all(c, fields, -2);
  c.reply.array(static_cast<int64_t>(fields.size()));
  for (Bytes field : fields) {
    int64_t ms = hash->expiry(field);
    if (ms >= 0 && !absolute) ms -= c.now_ms;
    c.reply.integer(ms >= 0 && seconds ? (ms + 999) / 1000 : ms);
  }
}
void httl(Call& c) { reply_expiries(c, true, false); }
void hpttl(Call& c) { reply_expiries(c, false, false); }
void hexpiretime(Call& c) { reply_expiries(c, true, true); }
void hpexpiretime(Call& c) { reply_expiries(c, false, true); }

void hpersist(Call& c) {
  auto hash = c.edit<Hash>(c.args.bytes(), "hpersist", Missing::skip);
  if (hash.wrong_type()) return;
  Fields fields;
  if (!take_fields(c, fields)) return;
  if (hash.missing()) return reply_for_all(c, fields, -2);
  ChangedFields changed(c, c.args[1]);
  c.reply.array(static_cast<int64_t>(fields.size()));
  for (Bytes field : fields) {
    int64_t current = hash->expiry(field);
    if (current >= 0) hash->set_expiry(field, kNoExpiry), changed.add(field);
    c.reply.integer(current >= 0 ? 1 : current);
  }
  changed.tell(hash, "hpersist");
}

// ---- HGETDEL ----

void hgetdel(Call& c) {
  auto hash = c.edit<Hash>(c.args.bytes(), "hdel", Missing::skip);
  if (hash.wrong_type()) return;
  Fields fields;
  if (!take_fields(c, fields, "ERR Number of fields must be a positive integer")) return;
  c.reply.array(static_cast<int64_t>(fields.size()));
  FieldEffect effect(c, c.args[1]);
  for (Bytes field : fields) {
    auto value = hash ? hash->get(field) : std::nullopt;
    reply_value(c, value);
    if (!value) continue;
    hash->erase(field);
    effect.add(field);
  }
  effect.replay_as("HDEL");
  effect.tell(hash, "hdel");
}

// ---- HGETEX and HSETEX ----

// Their options, in any order around "FIELDS n ...".
struct ExArgs {
  bool nx = false, xx = false, fnx = false, fxx = false;   // HSETEX
  bool has_moment = false;
  bool keep = false;                                       // KEEPTTL, or PERSIST
  int64_t at_ms = kNoExpiry;
  Fields fields;

  bool past(const Call& c) const { return has_moment && c.keyspace.past(at_ms); }
};

// EX, PX, EXAT, PXAT or `keep_word` (KEEPTTL, PERSIST), of which one may be given.
bool accept_moment(Call& c, ExArgs& ex, Bytes keep_word, Bytes several) {
  struct Option {
    Bytes word;
    bool seconds, absolute;
  };
  static constexpr Option kOptions[] = {
      {"EX", true, false}, {"PX", false, false}, {"EXAT", true, true}, {"PXAT", false, true}};
  bool given = ex.has_moment || ex.keep;
  if (c.args.accept(keep_word)) {
    if (given) c.args.fail(several);
    return ex.keep = true;
  }
  for (const Option& option : kOptions) {
    if (!c.args.accept(option.word)) continue;
    if (given) c.args.fail(several);
    if (!c.args.failed() && !c.args.more()) c.args.fail("ERR missing expire time");
    int64_t number = c.args.integer();
    if (!c.args.failed() && number <= 0)
      c.args.fail_formatted("ERR invalid expire time in '" + c.command->full_name + "' command");
    if (!c.args.failed()) ex.at_ms = field_moment(c, number, option.seconds, option.absolute);
    return ex.has_moment = true;
  }
  return false;
}

bool accept_condition(Call& c, Bytes one, Bytes other, bool& is_one, bool& is_other, Bytes several) {
  bool given = is_one || is_other;
  if (c.args.accept(one)) is_one = true;
  else if (c.args.accept(other)) is_other = true;
  else return false;
  if (given) c.args.fail(several);
  return true;
}

// `width`: arguments per field.
bool read_ex_args(Call& c, ExArgs& ex, size_t width) {
  bool sets = width == 2;
  Bytes keep_word = sets ? "KEEPTTL" : "PERSIST";
  Bytes several = sets ? "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
                       : "ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified";
  while (c.args.more()) {
    if (accept_moment(c, ex, keep_word, several)) continue;
    if (sets && accept_condition(c, "FNX", "FXX", ex.fnx, ex.fxx,
                                 "ERR Only one of FXX or FNX arguments can be specified"))
      continue;
    if (sets && accept_condition(c, "NX", "XX", ex.nx, ex.xx, "ERR Only one of NX or XX arguments can be specified"))
      continue;
    if (c.args.accept("FIELDS")) {
      if (!ex.fields.empty()) c.args.fail("ERR FIELDS argument specified multiple times");
      int64_t n = c.args.integer(1, INT64_MAX, kFewFields, kFewFields);
      if (!c.args.failed() && static_cast<uint64_t>(n) > c.args.left() / width) c.args.fail(kFieldsMismatch);
      ex.fields = c.args.take(static_cast<size_t>(n) * width);
    } else {
      c.args.fail_formatted("ERR unknown argument: " + std::string(c.args.peek()));
    }
  }
  if (!c.args.failed() && ex.fields.empty()) c.args.fail(kNoFields);
  return c.args.done();
}

void hgetex(Call& c) {
  Bytes key = c.args.bytes();
  ExArgs ex;
  if (!read_ex_args(c, ex, 1)) return;
  bool past = ex.past(c);
  auto hash = c.edit<Hash>(key, past ? "hdel" : ex.has_moment ? "hexpire" : "hpersist", Missing::skip);
  if (hash.wrong_type()) return;
  FieldEffect effect(c, key);
  c.reply.array(static_cast<int64_t>(ex.fields.size()));
  for (Bytes field : ex.fields) {
    auto value = hash ? hash->get(field) : std::nullopt;
    reply_value(c, value);
    if (!value) continue;
    if (past) hash->erase(field);
    else if (ex.has_moment) hash->set_expiry(field, ex.at_ms);
    else if (ex.keep && hash->expiry(field) != kNoExpiry) hash->set_expiry(field, kNoExpiry);
    else continue;
    effect.add(field);
  }
  if (past) effect.replay_as("HDEL");
  else if (ex.has_moment) effect.replay_as("HPEXPIREAT", ex.at_ms);
  else effect.replay_as("HPERSIST");
  effect.tell(hash, past ? "hdel" : ex.has_moment ? "hexpire" : "hpersist");
}

bool condition_holds(Edit<Hash>& hash, const ExArgs& ex) {
  if ((ex.nx && !hash.created()) || (ex.xx && hash.created())) return false;
  if (!ex.fnx && !ex.fxx) return true;
  for (size_t i = 0; i < ex.fields.size(); i += 2)
    if (hash->contains(ex.fields[i]) != ex.fxx) return false;
  return true;
}

void replay_hsetex(Call& c, Bytes key, const ExArgs& ex) {
  if (!c.effects.wanted() || !ex.has_moment) return;
  std::string moment = std::to_string(ex.at_ms), count = std::to_string(ex.fields.size() / 2);
  std::vector<Bytes> argv = {"HSETEX", key, "PXAT", moment, "FIELDS", count};
  argv.insert(argv.end(), ex.fields.begin(), ex.fields.end());
  c.effects.replace(argv);
}

void hsetex(Call& c) {
  Bytes key = c.args.bytes();
  ExArgs ex;
  if (!read_ex_args(c, ex, 2)) return;
  bool past = ex.past(c), kept;
  FieldEffect effect(c, key);
  {
    auto hash = c.edit<Hash>(key, past ? "hdel" : "hset");
    if (!hash) return;
    if (!condition_holds(hash, ex)) return c.reply.integer(0);
    for (size_t i = 0; i < ex.fields.size(); i += 2) {
      if (past) {
        if (hash->erase(ex.fields[i])) effect.add(ex.fields[i]);
        continue;
      }
      effect.add(ex.fields[i]);
      hash->set(ex.fields[i], ex.fields[i + 1], ex.keep);
      if (ex.has_moment) hash->set_expiry(ex.fields[i], ex.at_ms);
    }
    past ? effect.replay_as("HDEL") : replay_hsetex(c, key, ex);
    kept = hash.close();
    effect.tell(hash, past ? "hdel" : "hset");
  }
  if (!past && kept && ex.has_moment) {
    c.announce(key, "hexpire", EventClass::hash, Type::hash);
    effect.tell("hexpire");
  }
  c.reply.integer(1);
}

constexpr CommandRow kRows[] = {
    {"hexpire", hexpire},         {"hpexpire", hpexpire},         {"hexpireat", hexpireat},
    {"hpexpireat", hpexpireat},   {"httl", httl},                 {"hpttl", hpttl},
    {"hexpiretime", hexpiretime}, {"hpexpiretime", hpexpiretime}, {"hpersist", hpersist},
    {"hgetdel", hgetdel},         {"hgetex", hgetex},             {"hsetex", hsetex},
};

}  // namespace

void add_hash_expiry_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
