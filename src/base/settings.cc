#include "base/settings.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/stat.h>

#include "base/check.h"
#include "base/glob.h"
#include "base/settings_codecs.h"

namespace vitrine {

namespace {

// At every single blank: two in a row make an empty word, as clients of CONFIG SET have it.
Words split_at_blanks(Bytes value) {
  Words words;
  if (value.empty()) return words;
  while (true) {
    size_t blank = value.find(' ');
    words.emplace_back(value.substr(0, blank));
    if (blank == Bytes::npos) return words;
    value.remove_prefix(blank + 1);
  }
}

std::string set_failure(Bytes name, Bytes reason) {
  return "CONFIG SET failed (possibly related to argument '" + std::string(name) + "') - " + std::string(reason);
}

}  // namespace

Setting& Setting::alias(Bytes name) {
  home_->name_row(*this, name);
  return *this;
}

Setting& Setting::validate(std::function<Refusal()> hook) {
  CHECK(!validate_);
  validate_ = std::move(hook);
  return *this;
}

Setting& Setting::apply(std::function<Refusal()> hook) {
  CHECK(!apply_);
  apply_ = std::move(hook);
  return *this;
}

Refusal Setting::assign(std::span<const std::string> words) {
  Refusal refusal = codec_->assign(words);
  if (refusal.empty() && validate_) refusal = validate_();
  return refusal;
}

Settings::Settings() = default;
Settings::~Settings() = default;

void Settings::name_row(Setting& row, Bytes name) {
  CHECK(to_lower(name) == name);
  CHECK(by_name_.emplace(name, &row).second);
  row.names_.emplace_back(name);
}

Setting& Settings::add(Bytes name, std::unique_ptr<SettingCodec> codec) {
  rows_.push_back(std::make_unique<Setting>());
  Setting& row = *rows_.back();
  row.home_ = this;
  row.codec_ = std::move(codec);
  row.default_text_ = row.codec_->format();
  row.default_lines_ = row.codec_->lines();
  name_row(row, name);
  return row;
}

Setting& Settings::boolean(Bytes name, bool* target) { return add(name, boolean_codec(target)); }
Setting& Settings::add_integer(Bytes name, NumberRef target, uint64_t low, uint64_t high) {
  return add(name, number_codec(target, low, high, NumberForm::integer));
}
Setting& Settings::add_memory(Bytes name, NumberRef target, uint64_t low, uint64_t high) {
  return add(name, number_codec(target, low, high, NumberForm::memory));
}
Setting& Settings::memory_or_percent(Bytes name, int64_t* target, int64_t low, int64_t high) {
  return add(name, number_codec(NumberRef::of(target), static_cast<uint64_t>(low), static_cast<uint64_t>(high),
                                NumberForm::memory_or_percent));
}
Setting& Settings::octal(Bytes name, int* target, int low, int high) {
  return add(name, number_codec(NumberRef::of(target), static_cast<uint64_t>(low), static_cast<uint64_t>(high),
                                NumberForm::octal));
}
Setting& Settings::text(Bytes name, std::string* target) { return add(name, text_codec(target)); }
Setting& Settings::words(Bytes name, Words* target) { return add(name, words_codec(target)).multi(); }
Setting& Settings::add_enumeration(Bytes name, NumberRef target, std::span<const EnumName> names) {
  return add(name, enumeration_codec(target, names, false));
}
Setting& Settings::enumeration_flags(Bytes name, int* target, std::span<const EnumName> names) {
  return add(name, enumeration_codec(NumberRef::of(target), names, true)).multi();
}

void Settings::directive(Bytes name, std::function<Refusal(std::span<const std::string>)> read) {
  CHECK(!find(name));
  CHECK(directives_.emplace(name, std::move(read)).second);
}

void Settings::rewrite_directive(Bytes name, std::function<Words()> lines) {
  CHECK(directives_.contains(std::string(name)));
  rewritten_directives_.emplace_back(name, std::move(lines));
}

void Settings::obsolete(Bytes name) {
  directive(name, [](std::span<const std::string> words) -> Refusal {
    return words.size() == 1 ? "" : "Bad directive or wrong number of arguments";
  });
}

Setting* Settings::find(Bytes name) const {
  auto found = by_name_.find(to_lower(name));
  return found == by_name_.end() ? nullptr : found->second;
}

bool Settings::knows(Bytes name) const {
  return find(name) || directives_.contains(to_lower(name)) || equals_ignoring_case(name, "include");
}

Refusal Settings::load_line(const ConfigLine& line) {
  if (auto found = directives_.find(line.directive); found != directives_.end()) return found->second(line.args);
  Setting* row = find(line.directive);
  if (!row) return "Bad directive or wrong number of arguments";
  if (!row->is_multi() && line.args.size() != 1) return "wrong number of arguments";
  // One quoted word may hold them all: save "900 1".
  if (row->is_multi() && line.args.size() == 1) return row->assign(split_at_blanks(line.args[0]));
  return row->assign(line.args);
}

std::expected<void, ConfigError> Settings::load(std::span<const ConfigLine> lines) {
  std::vector<Setting*> begun;
  std::expected<void, ConfigError> result;
  for (const ConfigLine& line : lines) {
    Setting* row = find(line.directive);
    if (row && std::find(begun.begin(), begun.end(), row) == begun.end()) {
      begun.push_back(row);
      row->codec_->begin_load();
    }
    if (Refusal refusal = load_line(line); !refusal.empty()) {
      result = std::unexpected(ConfigError{line.file, line.number, line.text, refusal});
      break;
    }
  }
  for (Setting* row : begun) row->codec_->end_load();
  return result;
}

std::vector<std::pair<std::string, std::string>> Settings::get(std::span<const Bytes> patterns) const {
  std::vector<std::pair<std::string, std::string>> out;
  std::vector<std::pair<const Setting*, size_t>> shown;
  auto show = [&](const Setting& row, size_t which, Bytes name) {
    if (std::find(shown.begin(), shown.end(), std::pair(&row, which)) != shown.end()) return;
    shown.emplace_back(&row, which);
    out.emplace_back(name, row.format());
  };
  for (Bytes pattern : patterns) {
    // As in Redis, a backslash alone does not make a pattern.
    if (pattern.find_first_of("*?[") == Bytes::npos) {
      std::string lower = to_lower(pattern);
      const Setting* row = find(lower);
      if (row) show(*row, std::find(row->names_.begin(), row->names_.end(), lower) - row->names_.begin(), pattern);
      continue;
    }
    for (const auto& row : rows_) {
      if (row->is_hidden()) continue;
      for (size_t i = 0; i < row->names_.size(); i++)
        if (glob_match(pattern, row->names_[i], true)) show(*row, i, row->names_[i]);
    }
  }
  return out;
}

// What can be said before any value is looked at: the first complaint counts.
std::string Settings::check_changes(std::span<const Change> changes, bool local_client,
                                    std::vector<Setting*>& rows) const {
  for (const Change& change : changes) {
    Setting* row = find(change.name);
    if (!row) return "Unknown option or number of arguments for CONFIG SET - '" + std::string(change.name) + "'";
    if (row->is_immutable()) return set_failure(change.name, "can't set immutable config");
    Allowance allowance = allowance_ ? *allowance_ : Allowance::no;
    bool allowed = allowance == Allowance::yes || (allowance == Allowance::local && local_client);
    if (row->is_guarded() && !allowed) return set_failure(change.name, "can't set protected config");
    if (std::find(rows.begin(), rows.end(), row) != rows.end()) {
      // The same setting under two of its names is not refused; the last one counts.
      for (size_t i = 0; i < rows.size(); i++)
        if (equals_ignoring_case(changes[i].name, change.name)) return set_failure(change.name, "duplicate parameter");
    }
    rows.push_back(row);
  }
  return "";
}

std::string Settings::set(std::span<const Change> changes, bool local_client) {
  std::vector<Setting*> rows;
  if (std::string error = check_changes(changes, local_client, rows); !error.empty()) return error;
  std::vector<Words> before;
  std::vector<std::string> formatted_before;
  for (Setting* row : rows) {
    before.push_back(row->codec_->save());
    formatted_before.push_back(row->format());
  }
  std::vector<size_t> applied;
  auto undo = [&](size_t culprit, const Refusal& refusal) {
    for (size_t i = rows.size(); i-- > 0;) CHECK(rows[i]->codec_->assign(before[i]).empty());
    for (size_t i : applied) rows[i]->apply_();
    return set_failure(changes[culprit].name, refusal);
  };
  for (size_t i = 0; i < rows.size(); i++) {
    Bytes value = changes[i].value;
    Words words = rows[i]->is_multi() ? split_at_blanks(value) : Words{std::string(value)};
    if (Refusal refusal = rows[i]->assign(words); !refusal.empty()) return undo(i, refusal);
  }
  for (size_t i = 0; i < rows.size(); i++) {
    bool changed = rows[i]->flags_ & Setting::kReapplied || rows[i]->format() != formatted_before[i];
    if (!rows[i]->apply_ || !changed) continue;
    if (std::find_if(applied.begin(), applied.end(), [&](size_t a) { return rows[a] == rows[i]; }) != applied.end())
      continue;
    applied.push_back(i);
    if (Refusal refusal = rows[i]->apply_(); !refusal.empty()) return undo(i, refusal);
  }
  return "";
}

std::string Settings::rewritten(Bytes old_text, bool everything) const {
  ConfigRewriter rewriter(old_text);
  for (const auto& row : rows_) {
    if (row->flags_ & Setting::kNotRewritten) continue;
    std::vector<ConfigRewriter::Line> lines;
    const Words& usual = row->default_lines_;
    for (std::string& line : row->codec_->lines()) {
      bool needed = row->codec_->lines_are_independent() ? std::find(usual.begin(), usual.end(), line) == usual.end()
                                                         : !row->is_default();
      needed |= everything || (row->flags_ & Setting::kAlwaysRewritten);
      lines.push_back({std::move(line), needed});
    }
    const SettingCodec& codec = *row->codec_;
    rewriter.put(row->names_, lines, [&codec](const Words& words) { return codec.says_the_same(words); });
  }
  for (const auto& [name, written] : rewritten_directives_) {
    std::vector<ConfigRewriter::Line> lines;
    for (std::string& line : written()) lines.push_back({std::move(line)});
    rewriter.put(std::span(&name, 1), lines);
  }
  return rewriter.text();
}

std::string Settings::rewrite(const std::string& path, bool everything) const {
  std::string old_text;
  struct stat status;
  if (stat(path.c_str(), &status) == 0 || errno != ENOENT) {
    auto text = read_whole_file(path);
    if (!text) return text.error();
    old_text = std::move(*text);
  }
  return replace_file(path, rewritten(old_text, everything));
}

}  // namespace vitrine
