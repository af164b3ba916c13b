// INCREX: adds to the number at a key within bounds, and gives the key an expiry on the way.
#include <cmath>
#include <limits>
#include <string>

#include "base/numbers.h"
#include "commands/expiry_args.h"
#include "commands/families.h"
#include "engine/command.h"
#include "store/string.h"

namespace vitrine {

namespace {

constexpr Bytes kNotFinite = "ERR increment would produce NaN or Infinity";

// What integers and long doubles have of their own. `Wide` holds the sum and the difference of any two numbers.
struct Whole {
  using Number = int64_t;
  using Wide = __int128;
  static constexpr Bytes kNotNumber = Args::kNotInteger, kTooMuch = "ERR increment or decrement would overflow";
  static constexpr Bytes kEvent = "incrby";
  static constexpr Number kLowest = INT64_MIN, kHighest = INT64_MAX;
  static std::optional<Number> parse(Bytes text) { return parse_int64(text); }
  static std::string text(Number n) { return std::to_string(n); }
  static void reply(Call& c, Number n) { c.reply.integer(n); }
};

struct Decimal {
  using Number = long double;
  using Wide = long double;
  static constexpr Bytes kNotNumber = Args::kNotFloat, kTooMuch = kNotFinite;
  static constexpr Bytes kEvent = "incrbyfloat";
  static constexpr Number kLowest = std::numeric_limits<Number>::lowest();
  static constexpr Number kHighest = std::numeric_limits<Number>::max();
  static std::optional<Number> parse(Bytes text) { return parse_long_double(text); }
  static std::string text(Number n) { return format_long_double(n); }
  static void reply(Call& c, Number n) { c.reply.real_digits(text(n)); }
};

struct Request {
  Bytes key, amount, lower, upper;  // not given: null data
  bool decimal = false, saturate = false, only_without_expiry = false;
  ExpiryChoice expiry;
  int64_t expire_at_ms = kNoExpiry;

  bool read(Call& c) {
    key = c.args.bytes();
    while (c.args.more()) {
      if (expiry.accept(c, ExpiryChoice::persist)) continue;
      if (!amount.data() && c.args.accept("BYINT", 1)) amount = c.args.bytes();
      else if (!amount.data() && c.args.accept("BYFLOAT", 1)) amount = c.args.bytes(), decimal = true;
      else if (c.args.accept("LBOUND", 1)) lower = c.args.bytes();
      else if (c.args.accept("UBOUND", 1)) upper = c.args.bytes();
      else if (c.args.accept("SATURATE")) saturate = true;
      else if (c.args.accept("ENX")) only_without_expiry = true;
      else c.args.fail();
    }
    if (only_without_expiry && (expiry.kind() == ExpiryChoice::none || expiry.kind() == ExpiryChoice::persist))
      c.args.fail();
    if (!c.args.failed()) expire_at_ms = expiry.resolve(c);
    return c.args.done();
  }
  // The expiry that the string gets, in the words of Keyspace::put.
  int64_t expiry_for(const Entry* entry) const {
    bool keeps = expiry.kind() == ExpiryChoice::none || (only_without_expiry && entry && entry->has_expiry());
    return keeps ? Keyspace::kKeepTtl : expire_at_ms;
  }
};

void store(Call& c, const Request& r, const Entry* entry, Bytes text, Bytes event) {
  int64_t expire_at_ms = r.expiry_for(entry);
  bool persists = expire_at_ms == kNoExpiry && entry && entry->has_expiry();
  bool kept = c.keyspace.put_string(c.db, r.key, c.hash_of(r.key), text, expire_at_ms);
  c.announce(r.key, event, EventClass::string, Type::string, !kept);
  if (persists) c.announce(r.key, "persist", EventClass::generic, Type::string);
  if (kept && expire_at_ms >= 0) c.announce(r.key, "expire", EventClass::generic, Type::string);
  replay_set(c, r.key, text, expire_at_ms);
}

template <class Kind>
void increase(Call& c, const Request& r) {
  using Number = typename Kind::Number;
  using Wide = typename Kind::Wide;
  auto number = [](Bytes text, Number otherwise) { return text.data() ? Kind::parse(text) : otherwise; };
  auto amount = number(r.amount, 1), lower = number(r.lower, Kind::kLowest), upper = number(r.upper, Kind::kHighest);
  if (!amount || !lower || !upper) return c.reply.error(Kind::kNotNumber);
  Number low = std::max(*lower, Kind::kLowest), high = std::min(*upper, Kind::kHighest);
  if (low > high) return c.reply.error("ERR LBOUND can't be greater than UBOUND");
  if (*amount < Kind::kLowest || *amount > Kind::kHighest) return c.reply.error(Kind::kTooMuch);

  bool wrong;
  Entry* entry = c.find_string(r.key, wrong, true);
  if (wrong) return;
  char scratch[24];
  auto current = entry ? Kind::parse(string_bytes(*entry, scratch)) : std::optional<Number>(0);
  if (!current) return c.reply.error(Kind::kNotNumber);

  Wide sum = static_cast<Wide>(*current) + *amount;
  Number applied = 0;
  bool outside = sum < low || sum > high;
  if (outside) sum = sum < low ? low : high;
  if (!outside || r.saturate) {
    Wide difference = outside ? sum - *current : static_cast<Wide>(*amount);
    if (difference < Kind::kLowest || difference > Kind::kHighest) return c.reply.error(Kind::kTooMuch);
    applied = static_cast<Number>(difference);
    current = static_cast<Number>(sum);
    store(c, r, entry, Kind::text(*current), Kind::kEvent);
  }
  c.reply.array(2);
  Kind::reply(c, *current);
  Kind::reply(c, applied);
}

void increx(Call& c) {
  Request r;
  if (!r.read(c)) return;
  r.decimal ? increase<Decimal>(c, r) : increase<Whole>(c, r);
}

constexpr CommandRow kRows[] = {{"increx", increx}};

}  // namespace

void add_increx_command(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
