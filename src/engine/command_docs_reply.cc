#include "engine/command_docs_reply.h"

#include "engine/command.h"
#include "engine/command_docs.h"
#include "engine/command_table.h"
#include "wire/reply_builder.h"

namespace vitrine {

namespace {

constexpr Bytes kKindNames[] = {"string",    "integer",    "double", "key",  "pattern",
                                "unix-time", "pure-token", "oneof",  "block"};

void field(ReplyBuilder& reply, Bytes name, Bytes value) {
  if (value.empty()) return;
  reply.bulk(name);
  reply.bulk(value);
}

void reply_flags(ReplyBuilder& reply, uint8_t flags) {
  constexpr Bytes kNames[] = {"optional", "multiple", "multiple_token"};
  reply.bulk("flags");
  reply.set(__builtin_popcount(flags));
  for (size_t i = 0; i < std::size(kNames); i++)
    if (flags >> i & 1) reply.simple(kNames[i]);
}

void reply_arguments(ReplyBuilder& reply, std::span<const ArgumentDocs> arguments) {
  reply.bulk("arguments");
  reply.array(static_cast<int64_t>(arguments.size()));
  for (const ArgumentDocs& a : arguments) {
    bool leaf = a.arguments.empty();
    reply.map(2 + leaf + (a.key_spec >= 0) + a.has_token + !a.since.empty() + (a.flags != 0) + !leaf);
    field(reply, "name", a.name);
    field(reply, "type", kKindNames[static_cast<size_t>(a.kind)]);
    if (leaf) field(reply, "display_text", a.name);
    if (a.key_spec >= 0) {
      reply.bulk("key_spec_index");
      reply.integer(a.key_spec);
    }
    if (a.has_token) {
      reply.bulk("token");
      reply.bulk(a.token);
    }
    field(reply, "since", a.since);
    if (a.flags) reply_flags(reply, a.flags);
    if (!leaf) reply_arguments(reply, a.arguments);
  }
}

void reply_history(ReplyBuilder& reply, std::span<const HistoryNote> history) {
  reply.bulk("history");
  reply.set(static_cast<int64_t>(history.size()));
  for (const HistoryNote& note : history) {
    reply.array(2);
    reply.bulk(note.since);
    reply.bulk(note.text);
  }
}

}  // namespace

void reply_docs(ReplyBuilder& reply, const Command& command) {
  const CommandDocs& d = command_docs(*command.info);
  bool deprecated = !d.deprecated_since.empty(), container = !command.subcommands.empty();
  reply.bulk(command.full_name);
  reply.map(3 + !d.complexity.empty() + (deprecated || d.system) + 2 * deprecated + !d.history.empty() +
            !d.arguments.empty() + container);
  field(reply, "summary", d.summary);
  field(reply, "since", d.since);
  field(reply, "group", d.group);
  field(reply, "complexity", d.complexity);
  if (deprecated || d.system) {
    reply.bulk("doc_flags");
    reply.set(1);
    reply.simple(deprecated ? "deprecated" : "syscmd");
  }
  field(reply, "deprecated_since", d.deprecated_since);
  field(reply, "replaced_by", d.replaced_by);
  if (!d.history.empty()) reply_history(reply, d.history);
  if (!d.arguments.empty()) reply_arguments(reply, d.arguments);
  if (!container) return;
  reply.bulk("subcommands");
  reply.map(static_cast<int64_t>(command.subcommands.size()));
  for (const Command* sub : command.subcommands) reply_docs(reply, *sub);
}

}  // namespace vitrine
