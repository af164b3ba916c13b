// The registry of settings: what a configuration file, the command line and CONFIG GET/SET/REWRITE speak of.
//
// A setting is a row that points into some room's Options; the room reads its Options and knows nothing of rows. What
// stands in the Options when the row is added is the default. A value travels as words: the words of a configuration
// line, or CONFIG SET's one argument (split at blanks for rows that take several).
//
//   settings.integer("hz", &process.hz, 0, INT_MAX).validate([&] { … });
//   settings.boolean("daemonize", &process.daemonize).immutable();
//   settings.find("maxmemory")->apply([&] { evictor.limit_changed(); return Refusal(); });
//
// A Refusal is the text of why not; empty means accepted. `validate` runs after the value has been stored, when a
// file is loaded as well as on CONFIG SET, and may also clamp it; `apply` runs after all values of one CONFIG SET
// have been stored and validated, only for those that changed or are reapplied(), never while a file is loaded.
// Whatever refuses, every value of that CONFIG SET goes back to what it was, and hooks that had already run run again.
//
// Options must outlive the registry. Not thread-safe: only the executor calls it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/config_file.h"

namespace vitrine {

using Refusal = std::string;

// How words become a value and a value becomes words.
class SettingCodec {
 public:
  virtual ~SettingCodec() = default;
  virtual Refusal assign(std::span<const std::string> words) = 0;
  // Told before the first line that speaks of it when a file is loaded, and after the whole: settings whose lines add
  // up forget their default.
  virtual void begin_load() {}
  virtual void end_load() {}
  // As CONFIG GET shows it.
  virtual std::string format() const = 0;
  // Words for assign() that bring exactly this value back.
  virtual Words save() const { return {format()}; }
  // Whether these words of a configuration line mean the value as it is, in whatever form.
  virtual bool says_the_same(std::span<const std::string>) const { return false; }
  // What CONFIG REWRITE writes after the name, a line each.
  virtual Words lines() const { return {format()}; }
  // Whether each of several lines stands for itself (a class of clients each), so that those that say the usual may
  // be left out; otherwise they only make sense together (save points).
  virtual bool lines_are_independent() const { return false; }
};

// A reference to an integer of any width.
struct NumberRef {
  void* at;
  unsigned char bytes;
  bool is_signed;
  template <class T>
  static NumberRef of(T* target) {
    static_assert(std::is_integral_v<T>);
    return {target, sizeof(T), std::is_signed_v<T>};
  }
  uint64_t read() const;  // sign-extended
  void write(uint64_t value) const;
};

// A name of an enumerator; several names of one value are allowed, the first is shown.
struct EnumName {
  const char* name;
  int value;
};

class Setting {
 public:
  Setting& alias(Bytes name);
  Setting& immutable() { return flag(kImmutable); }  // only at start
  Setting& hidden() { return flag(kHidden); }        // shown only to who asks by its full name
  Setting& guarded() { return flag(kGuarded); }      // changed only if enable-protected-configs allows
  Setting& sensitive() { return flag(kSensitive); }  // a secret: masked wherever commands are recorded
  Setting& multi() { return flag(kMulti); }          // takes several words
  Setting& not_acting() { return flag(kNotActing); } // accepted and shown; its room is not built yet
  Setting& reapplied() { return flag(kReapplied); }  // applied when it stays the same, too: the file that it names
  Setting& after_loading() { return flag(kAfterLoading); }   // CONFIG SET refuses while data is loaded
  Setting& not_rewritten() { return flag(kNotRewritten); }
  Setting& always_rewritten() { return flag(kAlwaysRewritten); }   // also where it is the default
  Setting& validate(std::function<Refusal()> hook);
  Setting& apply(std::function<Refusal()> hook);

  const std::string& name() const { return names_[0]; }
  const std::vector<std::string>& names() const { return names_; }  // the name and its aliases
  bool is_immutable() const { return flags_ & kImmutable; }
  bool is_hidden() const { return flags_ & kHidden; }
  bool is_guarded() const { return flags_ & kGuarded; }
  bool is_sensitive() const { return flags_ & kSensitive; }
  bool waits_for_loading() const { return flags_ & kAfterLoading; }
  bool is_multi() const { return flags_ & kMulti; }
  bool is_acting() const { return !(flags_ & kNotActing); }
  std::string format() const { return codec_->format(); }
  const std::string& default_text() const { return default_text_; }
  bool is_default() const { return format() == default_text_; }

 private:
  friend class Settings;
  enum Flag : unsigned {
    kImmutable = 1,
    kHidden = 2,
    kGuarded = 4,
    kSensitive = 8,
    kMulti = 16,
    kNotActing = 32,
    kNotRewritten = 64,
    kReapplied = 128,
    kAlwaysRewritten = 256,
    kAfterLoading = 512
  };
  Setting& flag(Flag f) {
    flags_ |= f;
    return *this;
  }
  Refusal assign(std::span<const std::string> words);

  class Settings* home_ = nullptr;
  std::vector<std::string> names_;
  unsigned flags_ = 0;
  std::unique_ptr<SettingCodec> codec_;
  std::function<Refusal()> validate_, apply_;
  std::string default_text_;
  Words default_lines_;
};

// Who may use what is dangerous: enable-protected-configs, enable-debug-command, enable-module-command.
enum class Allowance { no, yes, local };

class Settings {
 public:
  Settings();
  ~Settings();
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  // Rows. REQUIRES: the name is new.
  Setting& boolean(Bytes name, bool* target);
  template <class T>
  Setting& integer(Bytes name, T* target, std::type_identity_t<T> low, std::type_identity_t<T> high) {
    return add_integer(name, NumberRef::of(target), static_cast<uint64_t>(low), static_cast<uint64_t>(high));
  }
  // An amount with a unit.
  template <class T>
  Setting& memory(Bytes name, T* target, std::type_identity_t<T> low, std::type_identity_t<T> high) {
    return add_memory(name, NumberRef::of(target), static_cast<uint64_t>(low), static_cast<uint64_t>(high));
  }
  // An amount, or a share kept as a negative number: "5%" is -5.
  Setting& memory_or_percent(Bytes name, int64_t* target, int64_t low, int64_t high);
  Setting& octal(Bytes name, int* target, int low, int high);
  Setting& text(Bytes name, std::string* target);
  // A list of words: no word if empty.
  Setting& words(Bytes name, Words* target);
  // An enumeration, or an int.
  template <class E>
  Setting& enumeration(Bytes name, E* target, std::span<const EnumName> names) {
    static_assert(std::is_enum_v<E> || std::is_same_v<E, int>);
    return add_enumeration(name, {target, sizeof(E), true}, names);
  }
  // Several names at once, or-ed; the name of value 0 stands alone.
  Setting& enumeration_flags(Bytes name, int* target, std::span<const EnumName> names);
  Setting& custom(Bytes name, std::unique_ptr<SettingCodec> codec) { return add(name, std::move(codec)); }

  // A word of the configuration file that is no setting (rename-command, user …): never shown, its lines are kept.
  void directive(Bytes name, std::function<Refusal(std::span<const std::string>)> read);
  // What CONFIG REWRITE shall say of a directive: all that follows the name, a line each.
  void rewrite_directive(Bytes name, std::function<Words()> lines);
  // A setting of former days: read with that many words and ignored.
  void obsolete(Bytes name);

  // By name or alias, in any case; null if there is none.
  Setting* find(Bytes name) const;
  // Whether a line of a configuration file may begin so: a setting, or a directive.
  bool knows(Bytes name) const;
  const std::vector<std::unique_ptr<Setting>>& rows() const { return rows_; }

  // Reads lines in order; the first that is refused ends it.
  std::expected<void, ConfigError> load(std::span<const ConfigLine> lines);

  // CONFIG GET: names (as asked for, where the pattern is a plain name) and values, each name once.
  std::vector<std::pair<std::string, std::string>> get(std::span<const Bytes> patterns) const;

  struct Change {
    Bytes name, value;
  };
  // CONFIG SET: all or nothing. The result is the error reply's text after "ERR ", or empty. `local_client`: whether
  // the one who asks comes from this machine.
  std::string set(std::span<const Change> changes, bool local_client);
  // Who may set the guarded ones; none may until this is told.
  void guard_with(const Allowance* allowance) { allowance_ = allowance; }

  // CONFIG REWRITE of the text of a configuration file. `everything`: also what stands at its default.
  std::string rewritten(Bytes old_text, bool everything = false) const;
  // The same for the file at `path`, which need not exist yet. The result is empty, or why not.
  std::string rewrite(const std::string& path, bool everything = false) const;

 private:
  friend class Setting;
  Setting& add(Bytes name, std::unique_ptr<SettingCodec> codec);
  Setting& add_integer(Bytes name, NumberRef target, uint64_t low, uint64_t high);
  Setting& add_memory(Bytes name, NumberRef target, uint64_t low, uint64_t high);
  Setting& add_enumeration(Bytes name, NumberRef target, std::span<const EnumName> names);
  void name_row(Setting& row, Bytes name);
  Refusal load_line(const ConfigLine& line);
  std::string check_changes(std::span<const Change> changes, bool local_client, std::vector<Setting*>& rows) const;

  std::vector<std::unique_ptr<Setting>> rows_;
  std::unordered_map<std::string, Setting*> by_name_;
  std::unordered_map<std::string, std::function<Refusal(std::span<const std::string>)>> directives_;
  std::vector<std::pair<std::string, std::function<Words()>>> rewritten_directives_;
  const Allowance* allowance_ = nullptr;
};

}  // namespace vitrine
