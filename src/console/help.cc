#include "console/help.h"

#include <vector>

#include "console/commands.h"
#include "engine/call.h"
#include "engine/command.h"

namespace vitrine {

namespace {

struct HelpText {
  Bytes container;
  Bytes text;   // lines; those of explanation are indented by four
};

constexpr HelpText kTexts[] = {
    {"client",
     "CACHING (YES|NO)\n"
     "    Whether the keys of the next command are tracked, under OPTIN or OPTOUT.\n"
     "CAPA <capability> [<capability> ...]\n"
     "    Declares what the client can do.\n"
     "GETNAME\n"
     "    The name of this connection.\n"
     "GETREDIR\n"
     "    The id of the client that gets our invalidations.\n"
     "ID\n"
     "    The id of this connection.\n"
     "INFO\n"
     "    This connection, as CLIENT LIST shows it.\n"
     "KILL (<ip:port> | <option> <value> [<option> <value> ...])\n"
     "    Ends connections that fulfil every option: ID, TYPE, USER, ADDR, LADDR, MAXAGE, SKIPME (YES|NO).\n"
     "LIST [<option> <value> ...]\n"
     "    All connections, or those that fulfil every option: TYPE, ID, ...\n"
     "NO-EVICT (ON|OFF)\n"
     "    Whether this connection is spared when clients use too much memory.\n"
     "NO-TOUCH (ON|OFF)\n"
     "    Whether commands of this connection leave the age of keys alone.\n"
     "PAUSE <milliseconds> [WRITE|ALL]\n"
     "    Holds writes, or all commands, of every client for so long.\n"
     "REPLY (ON|OFF|SKIP)\n"
     "    Whether commands of this connection are answered.\n"
     "SETINFO (LIB-NAME|LIB-VER) <value>\n"
     "    Names the client library and its version.\n"
     "SETNAME <name>\n"
     "    Names this connection.\n"
     "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> ...] [OPTIN] [OPTOUT] [NOLOOP]\n"
     "    Invalidation messages for a cache in the client.\n"
     "TRACKINGINFO\n"
     "    How tracking is set for this connection.\n"
     "UNBLOCK <id> [TIMEOUT|ERROR]\n"
     "    Ends the waiting of a client, as if its time were up or with an error.\n"
     "UNPAUSE\n"
     "    Ends a PAUSE.\n"},
    {"command",
     "(no subcommand)\n"
     "    Every command with its arity, flags and keys.\n"
     "COUNT\n"
     "    How many commands there are.\n"
     "DOCS [<name> ...]\n"
     "    Documentation of these commands, or of all.\n"
     "GETKEYS <command> [<arg> ...]\n"
     "    The keys that this call would touch.\n"
     "GETKEYSANDFLAGS <command> [<arg> ...]\n"
     "    The keys, and how each would be touched.\n"
     "INFO [<name> ...]\n"
     "    Arity, flags and keys of these commands, or of all.\n"
     "LIST [FILTERBY (MODULE <name> | ACLCAT <category> | PATTERN <pattern>)]\n"
     "    The names of commands.\n"},
    {"commandlog",
     "GET <count> (slow|large-request|large-reply)\n"
     "    The newest entries of one log, -1 for all: id, time, microseconds or bytes, arguments, client address and\n"
     "    client name.\n"
     "LEN (slow|large-request|large-reply)\n"
     "    How many entries a log has.\n"
     "RESET (slow|large-request|large-reply)\n"
     "    Empties a log.\n"},
    {"config",
     "GET <pattern> [<pattern> ...]\n"
     "    Settings whose names match, and their values.\n"
     "SET <setting> <value> [<setting> <value> ...]\n"
     "    Changes settings, all or none.\n"
     "RESETSTAT\n"
     "    Sets the counters of INFO back to zero.\n"
     "REWRITE\n"
     "    Writes the settings into the configuration file.\n"},
    {"latency",
     "DOCTOR\n"
     "    What the recorded events say about where time goes.\n"
     "GRAPH <event>\n"
     "    The samples of an event as a chart.\n"
     "HISTOGRAM [<command> ...]\n"
     "    How long these commands took, or all that were called: calls up to each duration in microseconds.\n"
     "HISTORY <event>\n"
     "    The samples of an event: time and milliseconds.\n"
     "LATEST\n"
     "    Each event: its name, the time of the latest sample, that sample, the longest.\n"
     "RESET [<event> ...]\n"
     "    Forgets these events, or all.\n"},
    {"memory",
     "DOCTOR\n"
     "    What looks wrong with memory.\n"
     "MALLOC-STATS\n"
     "    The allocator's own report.\n"
     "PURGE\n"
     "    Gives unused pages back to the system.\n"
     "STATS\n"
     "    What memory is used for.\n"
     "USAGE <key> [SAMPLES <count>]\n"
     "    Bytes that a key and its value take; of large values so many elements are looked at (5; 0: all).\n"},
    {"object",
     "ENCODING <key>\n"
     "    How the value is represented.\n"
     "FREQ <key>\n"
     "    How often the key was used lately, on a logarithmic scale (under an LFU policy).\n"
     "IDLETIME <key>\n"
     "    Seconds since the key was used.\n"
     "REFCOUNT <key>\n"
     "    How many places refer to the value.\n"},
    {"slowlog",
     "GET [<count>]\n"
     "    The newest entries (10; -1: all): id, time, microseconds, arguments, client address and client name.\n"
     "LEN\n"
     "    How many entries there are.\n"
     "RESET\n"
     "    Empties the log.\n"},
};

std::vector<std::string> split_lines(Bytes text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    lines.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::string in_capitals(Bytes name) {
  std::string out(name);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return out;
}

}  // namespace

void reply_help_lines(Call& c, const std::string& name, std::span<const std::string> lines) {
  c.reply.array(static_cast<int64_t>(lines.size()) + 3);
  c.reply.simple(name + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const std::string& line : lines) c.reply.simple(line);
  c.reply.simple("HELP");
  c.reply.simple("    Shows this help.");
}

void add_help_commands(CommandRegistry& registry) {
  for (const HelpText& help : kTexts) {
    const Command* container = registry.find(help.container);
    std::string name = std::string(help.container) + "|help";
    if (!container || registry.find_full(name)) continue;  // no such command yet, or with a help of its own
    registry.add(name, [&help](Call& c) {
      auto lines = split_lines(help.text);
      reply_help_lines(c, in_capitals(help.container), lines);
    });
  }
}

}  // namespace vitrine
