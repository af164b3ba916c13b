#include "engine/command.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "engine/command_table.h"

namespace vitrine {

namespace {

constexpr size_t kLongestName = 64;

// The name in lower case, in `buffer`; an empty view when it is too long for any command.
Bytes lowered(Bytes name, char (&buffer)[kLongestName]) {
  if (name.size() > kLongestName) return {};
  for (size_t i = 0; i < name.size(); i++) {
    unsigned char c = static_cast<unsigned char>(name[i]);
    buffer[i] = static_cast<char>(c | (static_cast<unsigned char>(c - 'A') < 26) << 5);
  }
  return {buffer, name.size()};
}

// Of the length and the first eight and last eight bytes: enough to tell command names apart.
uint64_t name_hash(Bytes lower) {
  uint64_t head = 0, tail = 0;
  size_t n = lower.size() < 8 ? lower.size() : 8;
  std::memcpy(&head, lower.data(), n);
  std::memcpy(&tail, lower.data() + lower.size() - n, n);
  uint64_t h = (head ^ (tail * 0x9e3779b97f4a7c15ull) ^ lower.size()) * 0xd6e8feb86659fd93ull;
  return h ^ (h >> 32);
}

Guard guard_of(Bytes full_name) {
  if (full_name.starts_with("debug")) return Guard::debug;
  for (Bytes name : {"module|load", "module|loadex", "module|unload"})
    if (full_name == name) return Guard::module;
  return Guard::none;
}

}  // namespace

CommandRegistry::CommandRegistry() = default;
CommandRegistry::~CommandRegistry() = default;

Command* CommandRegistry::find_full(Bytes full_name) const {
  for (const auto& command : commands_)
    if (command->full_name == full_name) return command.get();
  return nullptr;
}

Command* CommandRegistry::make(Bytes full_name) {
  size_t bar = full_name.find('|');
  const CommandInfo* info = find_command_info(full_name);
  CHECK(info);
  Command* parent = bar == Bytes::npos ? nullptr : place(full_name.substr(0, bar));
  auto command = std::make_unique<Command>();
  command->info = info;
  command->parent = parent;
  command->name = std::string(bar == Bytes::npos ? full_name : full_name.substr(bar + 1));
  command->full_name = std::string(full_name);
  command->id = commands_.size();
  command->flags = info->flags;
  command->arity = info->arity;
  command->first_key = info->first_key;
  command->reads_blocks = info->categories & (acl_category::kList | acl_category::kSet | acl_category::kHash |
                                              acl_category::kSortedset | acl_category::kStream);
  command->guard = guard_of(full_name);
  commands_.push_back(std::move(command));
  Command* made = commands_.back().get();
  if (parent) {
    parent->subcommands.push_back(made);
    std::sort(parent->subcommands.begin(), parent->subcommands.end(),
              [](const Command* a, const Command* b) { return a->name < b->name; });
  } else {
    order_.insert(std::upper_bound(order_.begin(), order_.end(), made,
                                   [](const Command* a, const Command* b) { return a->name < b->name; }),
                  made);
    rebuild();
  }
  return made;
}

Command* CommandRegistry::place(Bytes full_name) {
  Command* found = find_full(full_name);
  return found ? found : make(full_name);
}

// Of two rooms that both claim a command one would silently never be asked.
Command* CommandRegistry::vacant(Bytes full_name) {
  Command* command = place(full_name);
  CHECK(!command->handler && !command->bound);
  return command;
}

void CommandRegistry::add(std::span<const CommandRow> rows) {
  for (const CommandRow& row : rows) vacant(row.name)->handler = row.handler;
}

void CommandRegistry::add(Bytes name, std::function<void(Call&)> handler) { vacant(name)->bound = std::move(handler); }

void CommandRegistry::rebuild() {
  known_ = {};
  size_t size = 64;
  while (size < order_.size() * 4) size *= 2;
  slots_.assign(size, nullptr);
  for (Command* command : order_) {
    size_t i = name_hash(command->name) & (size - 1);
    while (slots_[i]) i = (i + 1) & (size - 1);
    slots_[i] = command;
  }
}

Command* CommandRegistry::find(Bytes name) const {
  if (name.size() > 8 || name.empty()) return search(name);
  uint64_t number = name_number(name);
  Known& k = known(number);
  if (k.name == number && k.length == name.size()) return k.command;
  Command* command = search(name);
  if (command) k = {number, name.size(), command};
  return command;
}

Command* CommandRegistry::search(Bytes name) const {
  char buffer[kLongestName];
  Bytes lower = lowered(name, buffer);
  if (lower.empty() || slots_.empty()) return nullptr;
  for (size_t i = name_hash(lower) & (slots_.size() - 1); slots_[i]; i = (i + 1) & (slots_.size() - 1))
    if (same_bytes(slots_[i]->name, lower)) return slots_[i];
  return nullptr;
}

Command* CommandRegistry::find_subcommand(const Command& container, Bytes name) {
  for (Command* sub : container.subcommands)
    if (equals_ignoring_case(sub->name, name)) return sub;
  return nullptr;
}

Command* CommandRegistry::find_named(Bytes name) const {
  size_t bar = name.find('|');
  Command* command = find(name.substr(0, bar));
  return !command || bar == Bytes::npos ? command : find_subcommand(*command, name.substr(bar + 1));
}

bool CommandRegistry::rename(Bytes from, Bytes to) {
  Command* command = find(from);
  if (!command || (!to.empty() && find(to))) return false;
  if (to.empty()) std::erase(order_, command);
  else command->name = to_lower(to);
  rebuild();
  return true;
}

void CommandRegistry::reset_stats() {
  for (const auto& command : commands_) command->stats = {};
}

}  // namespace vitrine
