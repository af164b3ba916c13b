#include "engine/observe_options.h"

#include "store/keyspace.h"

namespace vitrine {

namespace {

constexpr uint32_t bit(EventClass kind) { return 1u << static_cast<int>(kind); }

struct Letter {
  char letter;
  uint32_t events;
};

// Those that 'A' stands for come first.
constexpr Letter kLetters[] = {
    {'g', bit(EventClass::generic)}, {'$', bit(EventClass::string)},  {'l', bit(EventClass::list)},
    {'s', bit(EventClass::set)},     {'h', bit(EventClass::hash)},    {'z', bit(EventClass::zset)},
    {'x', bit(EventClass::expired)}, {'e', bit(EventClass::evicted)}, {'t', bit(EventClass::stream)},
    {'d', bit(EventClass::module)},  {'a', bit(EventClass::array)},   {'n', bit(EventClass::created)},
    {'o', bit(EventClass::overwritten)}, {'c', bit(EventClass::type_changed)},
    {'K', kNotifyKeyspace},          {'E', kNotifyKeyevent},          {'m', kNotifyMiss},
    {'S', kNotifySubkeyspace},       {'T', kNotifySubkeyevent},       {'I', kNotifySubkeyspaceitem},
    {'V', kNotifySubkeyspaceevent},
};
constexpr size_t kInAll = 11;

constexpr uint32_t all_events() {
  uint32_t all = 0;
  for (size_t i = 0; i < kInAll; i++) all |= kLetters[i].events;
  return all;
}

}  // namespace

std::optional<uint32_t> parse_notify_events(Bytes letters) {
  uint32_t events = 0;
  for (char c : letters) {
    uint32_t found = c == 'A' ? all_events() : 0;
    for (const Letter& letter : kLetters)
      if (letter.letter == c) found = letter.events;
    if (!found) return std::nullopt;
    events |= found;
  }
  return events;
}

std::string format_notify_events(uint32_t events) {
  std::string out;
  bool all = (events & all_events()) == all_events();
  if (all) out += 'A';
  for (size_t i = all ? kInAll : 0; i < std::size(kLetters); i++)
    if (events & kLetters[i].events) out += kLetters[i].letter;
  return out;
}

}  // namespace vitrine
